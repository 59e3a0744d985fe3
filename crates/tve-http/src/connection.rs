//! One hand-written service for every connection: gate, hot replies, dispatch, headers, metrics.
//!
//! The duties that are usually a stack of layers stand here in one place, because each layer costs
//! a boxed future per request. The hot replies (`/api/data`, `/api/status`) are answered from the
//! cache before the router is asked.

use crate::app::App;
use crate::ask::{Elsewhere, HeaderFault};
use crate::body::{self, too_large};
use crate::files::FILE_KEPT;
use crate::front_body::FrontBody;
use crate::gate::{self, Gate, Host, Origin};
use crate::head;
use crate::in_flight::{Allowance, Grant, InFlight, Purpose};
use crate::metrics::MethodName;
use crate::places::Seat;
use crate::reply::{ApiError, JSON};
use crate::routes::{Handler, Media, Operation, Route};
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
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
use tve_runtime::access::{Access, Arrival, Lane, anybody, require};

/// Where a proxy says for whom it speaks.
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A reply of more bytes is kept for its client within the bound of all that is on its way.
const LARGE: u64 = LARGE_BYTES as u64;
const LARGE_BYTES: usize = 16 * 1024;

/// What every connection shares.
pub(crate) struct Shared {
    pub(crate) app: Arc<App>,
    pub(crate) gate: Gate,
    pub(crate) router: Router,
    pub(crate) sockets: crate::sockets::Service,
    pub(crate) in_flight: Arc<InFlight>,
    /// `server.www` is set: paths beyond the API may be files.
    pub(crate) has_files: bool,
}

/// The service of one connection.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) front: Arc<Shared>,
    /// Where the client is.
    pub(crate) address: IpAddr,
    pub(crate) seat: Arc<Seat>,
    /// It came by TLS.
    pub(crate) tls: bool,
}

impl hyper::service::Service<Request<Incoming>> for Connection {
    type Response = Response<FrontBody>;
    type Error = Infallible;
    type Future = Serving;

    fn call(&self, request: Request<Incoming>) -> Serving {
        let started = Instant::now();
        self.seat.touch(started);
        let route = Route::of(request.uri().path(), self.front.has_files);
        let method = MethodName::of(request.method());
        let cors = self.front.gate.cors_origin(request.headers());
        let work = catch_unwind(AssertUnwindSafe(|| self.front.answer(route, self, request)))
            .unwrap_or_else(|_| Work::refused(ApiError::internal()));
        let (front, seat, tls) = (Arc::clone(&self.front), Arc::clone(&self.seat), self.tls);
        let yields = self.seat.has_had_its_turn();
        Serving { work, front, seat, route, method, started, cors, tls, yields }
    }
}

/// A request being served.
pub(crate) struct Serving {
    work: Work,
    front: Arc<Shared>,
    seat: Arc<Seat>,
    route: Route,
    method: MethodName,
    started: Instant,
    cors: Option<HeaderValue>,
    tls: bool,
    /// Lets others go first, once.
    yields: bool,
}

enum Work {
    Ready(Option<Response<FrontBody>>),
    Routed(Pin<Box<dyn Future<Output = Response<FrontBody>> + Send>>),
}

impl Work {
    fn ready(response: Response<FrontBody>) -> Self {
        Self::Ready(Some(response))
    }

    fn refused(denied: ApiError) -> Self {
        Self::ready(denied.into_response().map(FrontBody::Streamed))
    }
}

impl Work {
    /// The response, waited for.
    async fn finish(self) -> Response<FrontBody> {
        match self {
            Self::Ready(Some(response)) => response,
            Self::Ready(None) => ApiError::internal().into_response().map(FrontBody::Streamed),
            Self::Routed(future) => future.await,
        }
    }
}

impl Future for Serving {
    type Output = Result<Response<FrontBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if std::mem::take(&mut self.yields) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
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
        let mut response = response
            .unwrap_or_else(|| ApiError::internal().into_response().map(FrontBody::Streamed));
        if response.body().size_hint().lower() > LARGE || !response.extensions().is_empty() {
            response = self.keep(response);
        }
        seal(response.headers_mut(), self.cors.take(), tls);
        let (route, method, status) = (self.route, self.method, response.status());
        self.front.app.metrics.record(route as usize, method, status, self.started.elapsed());
        Poll::Ready(Ok(response))
    }
}

impl Serving {
    /// Sees to it that a large reply is kept within the bound of all that is on its way.
    fn keep(&self, mut response: Response<FrontBody>) -> Response<FrontBody> {
        let bytes = usize::try_from(response.body().size_hint().lower()).unwrap_or(usize::MAX);
        let claimed = response.extensions_mut().remove::<Arc<Grant>>();
        let grant = match (claimed, bytes) {
            (Some(grant), _) => Ok(grant),
            (None, ..=LARGE_BYTES) => return response,
            (None, bytes) => {
                // Files of the HMI are read piece by piece.
                let kept = if self.route == Route::Static { bytes.min(FILE_KEPT) } else { bytes };
                self.front.in_flight.claim(&self.seat, kept, Purpose::Read).map(Arc::new)
            }
        };
        match grant {
            Ok(grant) => response.map(|body| body.kept(grant)),
            Err(error) => error.into_response().map(FrontBody::Streamed),
        }
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

impl Shared {
    fn answer(
        self: &Arc<Self>,
        route: Route,
        from: &Connection,
        mut request: Request<Incoming>,
    ) -> Work {
        let operation = match self.judge(route, from.address, &request) {
            Ok(Passed { operation, fault, foreign }) => {
                if foreign.is_some() {
                    let elsewhere = Elsewhere(gate::shown(request.headers()));
                    request.extensions_mut().insert(elsewhere);
                }
                if let Some(fault) = fault.or(foreign) {
                    request.extensions_mut().insert(HeaderFault(fault));
                }
                operation
            }
            Err(Verdict::Preflight) => return Work::ready(preflight(route)),
            Err(Verdict::Refused(error)) => return Work::refused(error),
        };
        let access = self.app.door.access();
        if access.has_proxies() {
            from.seat.stand_for(arrival(access, from.address, request.headers()).address());
        }
        if access.is_lost() && route == Route::Status {
            return Work::ready(cached(self.app.faults_body()));
        }
        if access.is_enabled() {
            if route == Route::Socket {
                let pass = access.pass(&arrival(access, from.address, request.headers()));
                request.extensions_mut().insert(pass);
            }
            return self.admit(route, operation, from, request);
        }
        self.dispatch(operation, request, &from.seat, |_| anybody(from.address))
    }

    /// Lets a request through that may pass, proving first who sends it where that is needed.
    fn admit(
        self: &Arc<Self>,
        route: Route,
        operation: &'static Operation,
        from: &Connection,
        mut request: Request<Incoming>,
    ) -> Work {
        let access = self.app.door.access();
        let (peer, seat) = (from.address, &from.seat);
        let need = operation.need;
        let Some(role) = access.role(need) else {
            let glance = |headers: &HeaderMap| access.glance(&arrival(access, peer, headers));
            return self.dispatch(operation, request, seat, glance);
        };
        let arrival = arrival(access, peer, request.headers());
        if need == Need::Commands {
            // Only the body says what is asked, and a stop must not wait for a password.
            let address = arrival.address();
            let caller = Caller { user: None, role: Role::Viewer, address, by_token: false };
            request.extensions_mut().insert(arrival);
            return self.dispatch(operation, request, seat, |_| caller);
        }
        let what = route.row().path;
        match access.at_once(&arrival) {
            Some(Err(error)) => Work::refused(error.into()),
            Some(Ok(caller)) => match require(&caller, role, what) {
                Ok(()) => self.dispatch(operation, request, seat, |_| caller),
                Err(error) => Work::refused(error.into()),
            },
            None => {
                let (front, seat) = (Arc::clone(self), Arc::clone(seat));
                Work::Routed(Box::pin(async move {
                    let proven =
                        front.app.door.access().authenticate(&arrival, Lane::Ordinary).await;
                    let granted = proven.and_then(|caller| {
                        require(&caller, role, what)?;
                        Ok(caller)
                    });
                    match granted {
                        Ok(caller) => {
                            front.dispatch(operation, request, &seat, |_| caller).finish().await
                        }
                        Err(error) => {
                            ApiError::from(error).into_response().map(FrontBody::Streamed)
                        }
                    }
                }))
            }
        }
    }

    /// Sends a request where it belongs; handlers behind the router find the caller in its
    /// extensions.
    fn dispatch(
        self: &Arc<Self>,
        operation: &Operation,
        mut request: Request<Incoming>,
        seat: &Arc<Seat>,
        caller: impl FnOnce(&HeaderMap) -> Caller,
    ) -> Work {
        match operation.handler {
            Handler::Hot(body) => Work::ready(cached(body(&self.app))),
            Handler::Sockets => {
                let (front, allowance) = (Arc::clone(self), self.allowance(seat));
                Work::Routed(Box::pin(async move {
                    let answer = front.sockets.serve(request, allowance).await;
                    answer.unwrap_or_else(ApiError::into_response).map(FrontBody::Streamed)
                }))
            }
            Handler::Routed(_) | Handler::Page(_) | Handler::Files => {
                let caller = caller(request.headers());
                request.extensions_mut().insert(caller);
                request.extensions_mut().insert(self.allowance(seat));
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

    fn allowance(&self, seat: &Arc<Seat>) -> Allowance {
        Allowance { in_flight: Arc::clone(&self.in_flight), seat: Arc::clone(seat) }
    }

    /// The refusals that need nothing but the head of the request, in the order of the contract.
    fn judge(
        &self,
        route: Route,
        peer: IpAddr,
        request: &Request<Incoming>,
    ) -> Result<Passed, Verdict> {
        let headers = request.headers();
        let method = request.method();
        let malformed = head::fault(request);
        if let Some(fault) = &malformed
            && (route, method) != (Route::Control, &Method::POST)
        {
            return Err(fault.clone().into());
        }
        if route == Route::Unknown {
            return Err(ApiError::not_found("such path").into());
        }
        let host = self.gate.host(headers, self.app.door.access().is_proxy(peer));
        let origin = self.gate.origin(headers, host);
        if method == Method::OPTIONS && origin == Origin::Allowed {
            return Err(Verdict::Preflight);
        }
        let Some(operation) = route.operation(method) else {
            return Err(ApiError::method_not_allowed(route.allow()).into());
        };
        let fault =
            malformed.or_else(|| body_fault(operation.media, headers, origin, request.body()));
        let foreign = foreign(route, method, host, origin);
        // Whatever is wrong with a command's head, its body may ask for an emergency stop: one by a
        // stranger is better than one that a proxy with a wrong name swallows.
        if route == Route::Control {
            return Ok(Passed { operation, fault, foreign });
        }
        match fault.or(foreign) {
            Some(denied) => Err(denied.into()),
            None => Ok(Passed { operation, fault: None, foreign: None }),
        }
    }
}

/// What a request that comes from elsewhere, or meant to go there, is refused with.
fn foreign(route: Route, method: &Method, host: Host<'_>, origin: Origin) -> Option<ApiError> {
    if matches!(host, Host::Foreign) {
        return Some(ApiError::new(
            RefusalCode::ForeignHost,
            "the Host header names another machine; add the name to server.hosts",
        ));
    }
    let guarded = !matches!(*method, Method::GET | Method::HEAD) || route == Route::Socket;
    (origin == Origin::Foreign && guarded).then(|| {
        ApiError::new(
            RefusalCode::ForeignOrigin,
            "pages of that origin may not use this machine; see server.allowed_origins",
        )
    })
}

/// What a request shows of its sender.
fn arrival(access: &Access, peer: IpAddr, headers: &HeaderMap) -> Arrival {
    let forwarded = headers.get_all(FORWARDED).iter().filter_map(|line| line.to_str().ok());
    let credentials = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    access.arrival(peer, forwarded, credentials)
}

/// Why a request does not simply go on.
enum Verdict {
    Refused(ApiError),
    Preflight,
}

/// What a request asks for; with a fault of its head, or from elsewhere, it is refused unless its
/// body asks for an emergency stop.
struct Passed {
    operation: &'static Operation,
    fault: Option<ApiError>,
    foreign: Option<ApiError>,
}

impl From<ApiError> for Verdict {
    fn from(denied: ApiError) -> Self {
        Self::Refused(denied)
    }
}

/// What the headers say against the body of a POST or PUT.
fn body_fault(
    media: Media,
    headers: &HeaderMap,
    origin: Origin,
    body: &Incoming,
) -> Option<ApiError> {
    let text = match media {
        Media::Unjudged => return None,
        Media::Json => false,
        // A form of any page can send text; its browser then says whose.
        Media::JsonOrText => matches!(origin, Origin::Ours | Origin::Allowed),
    };
    if body.is_end_stream() {
        return None;
    }
    if body.size_hint().lower() > body::LIMIT as u64 {
        return Some(too_large());
    }
    let content_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim();
    let fits = essence.eq_ignore_ascii_case("application/json")
        || text && essence.eq_ignore_ascii_case("text/plain");
    (!fits).then(|| {
        ApiError::new(
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
    let allow = HeaderValue::from_str(&route.allow()).unwrap_or(HeaderValue::from_static(""));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, allow);
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("content-type, authorization, if-match"),
    );
    response
}
