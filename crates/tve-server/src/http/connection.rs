//! One hand-written service for every connection: gate, hot replies, dispatch, headers, metrics.
//!
//! The duties that are usually a stack of layers stand here in one place, because each layer costs
//! a boxed future per request. The hot replies (`/api/data`, `/api/status`) are answered from the
//! cache before the router is asked.

use super::FrontBody;
use super::body::{self, too_large};
use super::gate::{Gate, Origin};
use super::reply::{Denied, JSON};
use super::routes::{Media, Route};
use crate::app::App;
use crate::auth::{self, Lane};
use crate::metrics::MethodName;
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap,
    HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tower::Service as _;
use tve_access::{Caller, Need, Role};
use tve_control::RefusalCode;

/// What every connection shares.
pub(crate) struct Front {
    pub(crate) app: Arc<App>,
    pub(crate) gate: Gate,
    pub(crate) router: Router,
    pub(crate) sockets: crate::sockets::Service,
    /// `server.www` is set: paths beyond the API may be files.
    pub(crate) has_files: bool,
}

/// A fault of the headers that a POST /api/control still has to report after it has looked for an
/// emergency stop in the body.
#[derive(Clone)]
pub(crate) struct HeaderFault(pub(crate) Denied);

/// The service of one connection.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) front: Arc<Front>,
    /// Where the client is.
    pub(crate) address: IpAddr,
    /// It came by TLS.
    pub(crate) tls: bool,
}

impl hyper::service::Service<Request<Incoming>> for Connection {
    type Response = Response<FrontBody>;
    type Error = Infallible;
    type Future = Serving;

    fn call(&self, request: Request<Incoming>) -> Serving {
        let started = Instant::now();
        let route = Route::of(request.uri().path(), self.front.has_files);
        let method = MethodName::of(request.method());
        let cors = self.front.gate.cors_origin(request.headers());
        let work =
            catch_unwind(AssertUnwindSafe(|| self.front.answer(route, self.address, request)))
                .unwrap_or_else(|_| Work::refused(Denied::internal()));
        let (front, tls) = (Arc::clone(&self.front), self.tls);
        Serving { work, front, route, method, started, cors, tls }
    }
}

/// A request being served.
pub(crate) struct Serving {
    work: Work,
    front: Arc<Front>,
    route: Route,
    method: MethodName,
    started: Instant,
    cors: Option<HeaderValue>,
    tls: bool,
}

enum Work {
    Ready(Option<Response<FrontBody>>),
    Routed(Pin<Box<dyn Future<Output = Response<FrontBody>> + Send>>),
}

impl Work {
    fn ready(response: Response<FrontBody>) -> Self {
        Self::Ready(Some(response))
    }

    fn refused(denied: Denied) -> Self {
        Self::ready(denied.into_response().map(FrontBody::Streamed))
    }
}

impl Work {
    /// The response, waited for.
    async fn finish(self) -> Response<FrontBody> {
        match self {
            Self::Ready(Some(response)) => response,
            Self::Ready(None) => Denied::internal().into_response().map(FrontBody::Streamed),
            Self::Routed(future) => future.await,
        }
    }
}

impl Future for Serving {
    type Output = Result<Response<FrontBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match &mut self.work {
            Work::Ready(response) => response.take(),
            Work::Routed(future) => {
                // A panic in a handler ends that request and nothing else.
                match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(response)) => Some(response),
                    Err(_) => None,
                }
            }
        };
        let tls = self.tls;
        let mut response =
            response.unwrap_or_else(|| Denied::internal().into_response().map(FrontBody::Streamed));
        seal(response.headers_mut(), self.cors.take(), tls);
        let (route, method, status) = (self.route, self.method, response.status());
        self.front.app.metrics.record(route, method, status, self.started.elapsed());
        Poll::Ready(Ok(response))
    }
}

/// Adds the headers that every reply carries.
fn seal(headers: &mut HeaderMap, cors: Option<HeaderValue>, tls: bool) {
    const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
    const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
    const DENY: HeaderValue = HeaderValue::from_static("DENY");
    // Only the frame: what else a page of the HMI loads is its own affair.
    const NO_FRAMES: HeaderValue = HeaderValue::from_static("frame-ancestors 'none'");
    const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(X_FRAME_OPTIONS, DENY);
    headers.insert(REFERRER_POLICY, NO_REFERRER);
    headers.insert(CONTENT_SECURITY_POLICY, NO_FRAMES);
    if tls {
        // A day: it is renewed by every reply, and also binds what else the host serves.
        const SECURE: HeaderValue = HeaderValue::from_static("max-age=86400");
        headers.insert(STRICT_TRANSPORT_SECURITY, SECURE);
    }
    if let Some(origin) = cors {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(VARY, HeaderValue::from_name(HeaderName::from_static("origin")));
    }
}

impl Front {
    fn answer(
        self: &Arc<Self>,
        route: Route,
        peer: IpAddr,
        mut request: Request<Incoming>,
    ) -> Work {
        match self.judge(route, &request) {
            Ok(()) => {}
            Err(Verdict::Preflight) => return Work::ready(preflight(route)),
            Err(Verdict::Denied(denied)) => return Work::refused(denied),
            Err(Verdict::AfterBody(denied)) => {
                request.extensions_mut().insert(HeaderFault(denied));
            }
        }
        if self.app.access.is_enabled() {
            return self.admit(route, peer, request);
        }
        self.dispatch(route, request, |_| auth::anybody(peer))
    }

    /// Lets a request through that may pass, proving first who sends it where that is needed.
    fn admit(self: &Arc<Self>, route: Route, peer: IpAddr, mut request: Request<Incoming>) -> Work {
        let access = &self.app.access;
        let need = access.need(route, request.method());
        let Some(role) = access.role(need) else {
            let glance = |headers: &HeaderMap| access.glance(&access.arrival(peer, headers));
            return self.dispatch(route, request, glance);
        };
        let arrival = access.arrival(peer, request.headers());
        if need == Need::Commands {
            // Only the body says what is asked, and a stop must not wait for a password.
            let caller = Caller { user: None, role: Role::Viewer, address: arrival.address() };
            request.extensions_mut().insert(arrival);
            return self.dispatch(route, request, |_| caller);
        }
        let what = route.row().path;
        match access.at_once(&arrival) {
            Some(Err(denied)) => Work::refused(denied),
            Some(Ok(caller)) => match auth::grant(&caller, role, what) {
                Ok(()) => self.dispatch(route, request, |_| caller),
                Err(denied) => Work::refused(denied),
            },
            None => {
                let front = Arc::clone(self);
                Work::Routed(Box::pin(async move {
                    let proven = front.app.access.login(&arrival, Lane::Ordinary).await;
                    let granted = proven.and_then(|caller| {
                        auth::grant(&caller, role, what)?;
                        Ok(caller)
                    });
                    match granted {
                        Ok(caller) => front.dispatch(route, request, |_| caller).finish().await,
                        Err(denied) => denied.into_response().map(FrontBody::Streamed),
                    }
                }))
            }
        }
    }

    /// Sends a request where it belongs; handlers behind the router find the caller in its
    /// extensions.
    fn dispatch(
        self: &Arc<Self>,
        route: Route,
        mut request: Request<Incoming>,
        caller: impl FnOnce(&HeaderMap) -> Caller,
    ) -> Work {
        match route {
            Route::Data => Work::ready(cached(self.app.data_body())),
            Route::Status => Work::ready(cached(self.app.status_body())),
            Route::Socket => {
                let reply = hyper::service::Service::call(&self.sockets, request);
                Work::Routed(Box::pin(async move {
                    match reply.await {
                        Ok(response) => response.map(|b| FrontBody::Streamed(Body::new(b))),
                        Err(never) => match never {},
                    }
                }))
            }
            _ => {
                let caller = caller(request.headers());
                request.extensions_mut().insert(caller);
                let reply = self.router.clone().call(request.map(Body::new));
                Work::Routed(Box::pin(async move {
                    match reply.await {
                        Ok(response) => response.map(FrontBody::Streamed),
                        Err(never) => match never {},
                    }
                }))
            }
        }
    }

    /// The refusals that need nothing but the head of the request, in the order of the contract.
    fn judge(&self, route: Route, request: &Request<Incoming>) -> Result<(), Verdict> {
        let headers = request.headers();
        let method = request.method();
        if route == Route::Unknown {
            return Err(Denied::not_found("such path").into());
        }
        let origin = self.gate.origin(headers);
        if method == Method::OPTIONS && origin == Origin::Allowed {
            return Err(Verdict::Preflight);
        }
        if !route.allows(method) {
            return Err(Denied::method_not_allowed(route.allow()).into());
        }
        let fault = route
            .media(method)
            .filter(|_| route != Route::Socket)
            .and_then(|media| body_fault(media, headers, request.body()));
        let foreign = self.foreign(route, method, headers, origin);
        // Where a page or a name of elsewhere asks, not even an emergency stop is looked for.
        if let Some(denied) = fault.clone()
            && (route != Route::Control || foreign.is_some())
        {
            return Err(denied.into());
        }
        if let Some(denied) = foreign {
            return Err(denied.into());
        }
        fault.map_or(Ok(()), |denied| Err(Verdict::AfterBody(denied)))
    }

    fn foreign(
        &self,
        route: Route,
        method: &Method,
        headers: &HeaderMap,
        origin: Origin,
    ) -> Option<Denied> {
        if !self.gate.host_is_ours(headers) {
            return Some(Denied::new(
                RefusalCode::ForeignHost,
                "the Host header names another machine; add the name to server.hosts",
            ));
        }
        let guarded = !matches!(*method, Method::GET | Method::HEAD) || route == Route::Socket;
        (origin == Origin::Foreign && guarded).then(|| {
            Denied::new(
                RefusalCode::ForeignOrigin,
                "pages of that origin may not use this machine; see server.allowed_origins",
            )
        })
    }
}

/// Why a request does not simply go on.
enum Verdict {
    Denied(Denied),
    /// Refused, unless its body asks for an emergency stop.
    AfterBody(Denied),
    Preflight,
}

impl From<Denied> for Verdict {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

/// What the headers say against the body of a POST or PUT.
fn body_fault(media: Media, headers: &HeaderMap, body: &Incoming) -> Option<Denied> {
    if body.is_end_stream() {
        return None;
    }
    if body.size_hint().lower() > body::LIMIT as u64 {
        return Some(too_large());
    }
    let content_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim();
    let fits = essence.eq_ignore_ascii_case("application/json")
        || media == Media::JsonOrText && essence.eq_ignore_ascii_case("text/plain");
    (!fits).then(|| {
        Denied::new(
            RefusalCode::UnsupportedMediaType,
            "send the body as Content-Type: application/json",
        )
    })
}

fn cached(bytes: Bytes) -> Response<FrontBody> {
    let mut response = Response::new(FrontBody::Whole(bytes.into()));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

fn preflight(route: Route) -> Response<FrontBody> {
    let mut response = Response::new(FrontBody::Whole(Bytes::new().into()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(route.allow()));
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("content-type, authorization, if-match"),
    );
    response
}
