//! Socket.IO: one task compares the machine ten times a second, and after a command, and tells every
//! client what changed.
//!
//! A client that does not read fills its buffer, gets nothing more and is disconnected: at once
//! where the good-bye still fits into the buffer, else by the write time-out of its connection or
//! by the heartbeat. Sending never waits, so it delays nobody else.

use crate::app::App;
use crate::body;
use crate::in_flight::Allowance;
use crate::reply::ApiError;
use crate::sessions::{Claim, Ends, Sessions};
use crate::shares::Slot;
use axum::body::Body;
use axum::response::IntoResponse;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use socketioxide::service::SocketIoService;
use socketioxide::socket::Sid;
use socketioxide::{SendError, SocketError, SocketIo};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tve_control::{RefusalCode, Snapshot};
use tve_runtime::access::Pass;
use tve_runtime::{Published, stopped};
use tve_tags::{Category, Tags, Value};

/// Answers everything under /socket.io/.
type Library = SocketIoService<NotFound>;

/// What the library asks for paths that are not its own.
#[derive(Clone)]
struct NotFound;

impl hyper::service::Service<Request<Full<Bytes>>> for NotFound {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn call(&self, _: Request<Full<Bytes>>) -> Self::Future {
        ready(Ok(ApiError::not_found("such path").into_response()))
    }
}

/// Serves /socket.io/ in front of the library: bounds sessions and bodies.
pub(crate) struct Service {
    library: Library,
    sessions: Arc<Sessions>,
}

/// Headers that the library reads. It keeps those of the request that opens a
/// session as long as the session, so that it gets no others.
const SEEN: [HeaderName; 5] =
    [CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE];

/// Longest start of a reply in which the name of its session is looked for.
const OPEN_BYTES: usize = 1024;

/// The value of a key of a query.
fn queried<'q>(query: &'q str, key: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

/// The name of the session that a reply to polling opens.
fn opened(body: &[u8]) -> Option<Sid> {
    let text = std::str::from_utf8(body.get(..body.len().min(OPEN_BYTES))?).ok()?;
    text.split_once("\"sid\":\"")?.1.split_once('"')?.0.parse().ok()
}

impl Service {
    /// The sessions there are.
    pub(crate) fn sessions(&self) -> Arc<Sessions> {
        Arc::clone(&self.sessions)
    }

    /// Answers a request over the connection at `seat`.
    pub(crate) async fn serve(
        &self,
        request: Request<Incoming>,
        allowance: Allowance,
    ) -> Result<Response<Body>, ApiError> {
        let (parts, body) = request.into_parts();
        // A body has its deadline and its bound before the library sees any of it.
        let mut bytes = Vec::new();
        if !body.is_end_stream() {
            let read = Box::pin(body::read(Body::new(body), Some(&allowance))).await;
            if let Some(fault) = read.fault {
                return Err(fault);
            }
            bytes = read.bytes;
        }
        let seat = &allowance.seat;
        let query = parts.uri.query().unwrap_or_default();
        let over_web_socket = queried(query, "transport") == Some("websocket");
        let sid = queried(query, "sid").map(str::parse::<Sid>);
        let claim = match (&parts.method, sid) {
            (&Method::GET, None) => {
                let connection = over_web_socket.then(|| seat.thrown_out().clone());
                let now = Instant::now();
                let (claim, ends) = self.sessions.open(now, seat.stands_at(), connection)?;
                if let Ends::Polling(sid) = ends {
                    self.end(sid).await;
                }
                Some(claim)
            }
            (&Method::GET, Some(Ok(sid))) => {
                if over_web_socket && self.sessions.moves(sid, seat) {
                    seat.becomes_socket();
                }
                None
            }
            _ => None,
        };
        let mut seen = Request::new(Full::new(Bytes::from(bytes)));
        *seen.method_mut() = parts.method;
        // A copy, so that nothing of the connection's buffer is kept as long as the session.
        let uri = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        *seen.uri_mut() = uri.parse().map_err(|_| ApiError::not_found("such path"))?;
        for name in SEEN {
            if let Some(value) = parts.headers.get(&name)
                && let Ok(copy) = HeaderValue::from_bytes(value.as_bytes())
            {
                seen.headers_mut().insert(name, copy);
            }
        }
        let mut extensions = parts.extensions;
        if let Some(upgrade) = extensions.remove::<hyper::upgrade::OnUpgrade>() {
            seen.extensions_mut().insert(upgrade);
        }
        if let Some(pass) = extensions.remove::<Pass>() {
            seen.extensions_mut().insert(pass);
        }
        if let Some(slot) = claim.as_ref().and_then(Claim::slot) {
            seen.extensions_mut().insert(slot);
        }
        let response = match hyper::service::Service::call(&self.library, seen).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        };
        match (claim, response.status()) {
            (Some(claim), StatusCode::SWITCHING_PROTOCOLS) => {
                seat.becomes_socket();
                seat.carry(claim);
                Ok(response)
            }
            (Some(claim), StatusCode::OK) => {
                let (parts, body) = response.into_parts();
                let whole = Limited::new(body, OPEN_BYTES).collect().await;
                let body = whole.map_err(|_| ApiError::internal())?.to_bytes();
                if let Some(sid) = opened(&body) {
                    claim.becomes(sid);
                }
                Ok(Response::from_parts(parts, Body::from(body)))
            }
            _ => Ok(response),
        }
    }

    /// Tells the library in the client's stead that a session by polling is over.
    async fn end(&self, sid: Sid) {
        let mut close = Request::new(Full::new(Bytes::from_static(b"1")));
        *close.method_mut() = Method::POST;
        let Ok(uri) = format!("/socket.io/?EIO=4&transport=polling&sid={sid}").parse() else {
            return;
        };
        *close.uri_mut() = uri;
        // One that has gone meanwhile is over, too.
        let _ = hyper::service::Service::call(&self.library, close).await;
    }
}

/// A smaller change of a number is no news.
const THRESHOLD: f64 = 0.001;

/// Time between two looks at who may still listen.
const REVIEW: Duration = Duration::from_millis(500);

/// Events that may wait for one client: some seconds of a busy machine.
const BUFFER: usize = 512;

/// Largest message from a client; none of them has anything to say.
const MESSAGE_LIMIT: usize = 4096;

/// Time that a client has to join after it has connected.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(10);

const UPDATE: &str = "io_update";
const SNAPSHOT: &str = "snapshot";

/// Whether the change from `old` to `new` is worth an event.
fn differs(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Number(Some(old)), Value::Number(Some(new))) => (old - new).abs() > THRESHOLD,
        _ => old != new,
    }
}

/// Payload of an `io_update`.
#[derive(Debug, PartialEq, Serialize)]
struct Update<'a> {
    category: &'static str,
    key: &'a str,
    val: &'a Value,
}

/// Payload of a `snapshot`.
#[derive(Serialize)]
struct Snapshotted<'a> {
    state: &'a RawValue,
}

type Values = BTreeMap<(Category, Box<str>), Value>;

/// Everything that clients are told of, by category and key.
fn values(snapshot: &Snapshot, tags: &Tags) -> Values {
    let events = tags.events().iter();
    events.map(|e| ((e.category, e.key.clone()), tags.read(e.tag, snapshot))).collect()
}

/// Everything that clients are told of, one event a line.
#[cfg(test)]
pub(crate) fn told(snapshot: &Snapshot, tags: &Tags) -> String {
    let values = values(snapshot, tags);
    let update = |((category, key), val): (&(Category, Box<str>), &Value)| {
        serde_json::to_string(&Update { category: category.name(), key, val }).unwrap() + "\n"
    };
    values.iter().map(update).collect()
}

/// Builds the service.
pub(crate) fn service(app: Arc<App>) -> (Service, SocketIo) {
    let sessions = Sessions::new();
    let (library, io) = SocketIo::builder()
        .max_buffer_size(BUFFER)
        .ws_max_message_size(MESSAGE_LIMIT)
        .ws_max_frame_size(MESSAGE_LIMIT)
        .connect_timeout(CONNECT_LIMIT)
        .build_with_inner_svc(NotFound);
    let door = Arc::clone(&app);
    // Whoever was dismissed keeps the transport, and may ask again over it.
    let admit = async move |socket: SocketRef| {
        may_listen(&door, &socket).then_some(()).ok_or(RefusalCode::LoginFailed.name())
    };
    let known = Arc::clone(&sessions);
    let joined = async move |socket: SocketRef| {
        app.metrics.socket_connected();
        let slot = socket.req_parts().extensions.get::<Slot>().copied();
        if let Some(slot) = slot {
            known.joined(slot);
        }
        socket.on_disconnect(async move || {
            app.metrics.socket_gone();
            if let Some(slot) = slot {
                known.left(slot);
            }
        });
    };
    io.ns("/", joined.with(admit));
    (Service { library, sessions }, io)
}

fn may_listen(app: &App, socket: &SocketRef) -> bool {
    app.door.access().still_reads(socket.req_parts().extensions.get::<Pass>())
}

/// Disconnects those whose login has ended since they connected, and forgets sessions that are over.
fn review(app: &App, io: &SocketIo, sessions: &Sessions) {
    let live: BTreeSet<_> = io.sockets().into_iter().map(|socket| socket.id).collect();
    sessions.review(Instant::now(), |sid| live.contains(&sid));
    for socket in io.sockets().into_iter().filter(|s| !may_listen(app, s)) {
        // A full buffer has no room for the good-bye; then the next review tries again.
        let _ = socket.disconnect();
    }
}

/// Sends; `false` when the client's buffer is full. A client that has gone is no failure.
fn send<T: Serialize>(socket: &SocketRef, event: &str, payload: &T) -> bool {
    let result = socket.emit(event, payload);
    !matches!(result, Err(SendError::Socket(SocketError::InternalChannelFull)))
}

/// Tells clients what changes until `stop` turns true.
pub(crate) async fn broadcast(
    app: Arc<App>,
    io: SocketIo,
    sessions: Arc<Sessions>,
    mut stop: watch::Receiver<bool>,
) {
    let mut changes = app.door.changes();
    let mut reviews = interval(REVIEW);
    reviews.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut teller = Teller::default();
    loop {
        let newest = tokio::select! {
            newest = changes.next() => newest,
            _ = reviews.tick() => {
                review(&app, &io, &sessions);
                continue;
            }
            () = stopped(&mut stop) => return,
        };
        teller.round(&app, &newest, io.sockets());
    }
}

/// Knows what clients have been told. All who are greeted know the same.
#[derive(Default)]
struct Teller {
    told: Option<Values>,
    greeted: BTreeSet<Sid>,
    /// Those whose buffer was full; they get nothing more.
    full: BTreeSet<Sid>,
}

impl Teller {
    fn round(&mut self, app: &App, newest: &Published, sockets: Vec<SocketRef>) {
        self.greeted.retain(|id| sockets.iter().any(|s| s.id == *id));
        self.full.retain(|id| sockets.iter().any(|s| s.id == *id));
        if sockets.is_empty() {
            self.told = None;
            return;
        }
        let now = values(&newest.snapshot, &app.tags(newest));
        if let Some(told) = &self.told {
            for ((category, key), val) in &now {
                let old = told.get(&(*category, key.clone()));
                if old.is_none_or(|old| differs(old, val)) {
                    let update = Update { category: category.name(), key, val };
                    for socket in sockets.iter().filter(|s| self.greeted.contains(&s.id)) {
                        if !self.full.contains(&socket.id) && !send(socket, UPDATE, &update) {
                            self.full.insert(socket.id);
                            app.metrics.socket_dropped();
                        }
                    }
                }
            }
        }
        // A value that drifts slowly is told once it has moved far enough from what was told.
        match &mut self.told {
            Some(told) => merge(told, now),
            none => *none = Some(now),
        }
        self.greet(app, newest, &sockets);
        for socket in sockets.into_iter().filter(|s| self.full.contains(&s.id)) {
            // Without room for the good-bye this fails, and is tried again in the next round.
            let _ = socket.disconnect();
        }
    }

    /// Shows newcomers the machine that the round was about, so that no change falls between
    /// their snapshot and their first update.
    fn greet(&mut self, app: &App, newest: &Published, sockets: &[SocketRef]) {
        let mut state: Option<Box<RawValue>> = None;
        for socket in sockets {
            if !self.greeted.insert(socket.id) {
                continue;
            }
            if state.is_none() {
                // The text is JSON that was serialised a moment ago.
                state = serde_json::from_slice(&app.state_json(newest)).ok();
            }
            if let Some(state) = &state {
                send(socket, SNAPSHOT, &Snapshotted { state });
            }
        }
    }
}

/// Takes over what was told.
fn merge(known: &mut Values, now: Values) {
    known.retain(|key, _| now.contains_key(key));
    for (key, value) in now {
        if known.get(&key).is_none_or(|old| differs(old, &value)) {
            known.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_config::Config;
    use tve_units::Duty;

    fn tags() -> Tags {
        Tags::of(Config::default().machine())
    }

    #[test]
    fn categories_are_those_of_the_contract() {
        let values = values(&Snapshot::of(&Config::default().machine()), &tags());
        for (category, key) in values.keys() {
            assert!(
                ["temps", "motors", "relays", "pwm", "misc"].contains(&category.name()),
                "{category:?} {key}"
            );
        }
        assert!(values.contains_key(&(Category::Pwm, "z1".into())));
    }

    #[test]
    fn a_slow_drift_is_told_when_it_has_become_a_change() {
        let tags = tags();
        let mut snapshot = Snapshot::of(&Config::default().machine());
        let key = (Category::Misc, "peltier_duty".into());
        let mut known = values(&snapshot, &tags);
        for duty in [0.0004, 0.0008] {
            snapshot.peltier = Duty::clamped(duty);
            let now = values(&snapshot, &tags);
            assert!(!differs(&known[&key], &now[&key]));
            merge(&mut known, now);
        }
        snapshot.peltier = Duty::clamped(0.0012);
        assert!(differs(&known[&key], &values(&snapshot, &tags)[&key]));
    }

    #[test]
    fn a_sensor_that_fails_or_comes_back_is_a_change() {
        assert!(differs(&Value::Number(Some(20.0)), &Value::Number(None)));
        assert!(differs(&Value::Number(None), &Value::Number(Some(20.0))));
        assert!(!differs(&Value::Number(None), &Value::Number(None)));
    }

    #[test]
    fn an_update_has_the_shape_that_the_hmi_reads() {
        let update = Update { category: "temps", key: "t1", val: &Value::Number(None) };
        assert_eq!(
            serde_json::to_string(&update).unwrap(),
            r#"{"category":"temps","key":"t1","val":null}"#
        );
    }
}
