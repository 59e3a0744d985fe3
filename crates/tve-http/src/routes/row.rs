//! What a row of the table of routes is made of: methods, needs, handlers, descriptions.

use crate::app::App;
use axum::routing::{MethodFilter, MethodRouter};
use hyper::Method;
use std::sync::Arc;
use tve_access::Need;

/// The methods that a route may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// HEAD goes where it goes.
    Get,
    Post,
    Put,
}

impl Verb {
    /// Name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }

    pub(super) fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET | Method::HEAD => Some(Self::Get),
            Method::POST => Some(Self::Post),
            Method::PUT => Some(Self::Put),
            _ => None,
        }
    }

    pub(super) const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
        }
    }
}

/// How a body is judged before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// There is none to judge, or somebody else does.
    Unjudged,
    /// `application/json`, or nothing at all.
    Json,
    /// The same, and JSON sent as `text/plain`, as the HMI does.
    JsonOrText,
}

/// Who answers.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    /// A body that is there already, sent before the router is asked.
    Hot(fn(&App) -> bytes::Bytes),
    /// A handler behind the router.
    Routed(fn(MethodFilter) -> MethodRouter<Arc<App>>),
    /// The same, unless `server.www` is set: then the file server.
    Page(fn(MethodFilter) -> MethodRouter<Arc<App>>),
    /// The file server of `server.www`.
    Files,
    /// The socket library, which checks methods itself.
    Sockets,
}

/// What can be said about a body.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    /// One of the types of the wire, by name.
    Json(&'static str),
    /// A list of them.
    JsonList(&'static str),
    /// Anything of that media type.
    Media(&'static str),
}

/// Whether a change says what it was made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMatch {
    Never,
    May,
    Must,
}

/// What OpenAPI says of an operation.
#[derive(Clone, Copy)]
pub(crate) struct Docs {
    pub(crate) summary: &'static str,
    pub(crate) reply: Content,
    /// Schema of the body of the request.
    pub(crate) body: Option<&'static str>,
    /// Names of the path or the query, with what they are.
    pub(crate) parameters: &'static [(&'static str, &'static str)],
    pub(crate) if_match: IfMatch,
    /// Statuses of refusals, but for those of a login.
    pub(crate) refusals: &'static [u16],
}

pub(super) const fn told(summary: &'static str, reply: Content, refusals: &'static [u16]) -> Docs {
    let (body, parameters, if_match) = (None, [].as_slice(), IfMatch::Never);
    Docs { summary, reply, body, parameters, if_match, refusals }
}

impl Docs {
    pub(super) const fn takes(self, body: &'static str) -> Self {
        Self { body: Some(body), ..self }
    }

    pub(super) const fn asks(self, parameters: &'static [(&'static str, &'static str)]) -> Self {
        Self { parameters, ..self }
    }

    pub(super) const fn on_match(self, if_match: IfMatch) -> Self {
        Self { if_match, ..self }
    }
}

/// What one method of a route does.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) verb: Verb,
    pub(crate) need: Need,
    pub(crate) media: Media,
    pub(crate) handler: Handler,
    /// `None` for what is no part of the API.
    pub(crate) docs: Option<Docs>,
}

pub(super) const fn get(need: Need, handler: Handler, docs: Docs) -> Operation {
    Operation { verb: Verb::Get, need, media: Media::Unjudged, handler, docs: Some(docs) }
}

pub(super) const fn post(need: Need, media: Media, handler: Handler, docs: Docs) -> Operation {
    Operation { verb: Verb::Post, need, media, handler, docs: Some(docs) }
}

pub(super) const fn put(need: Need, handler: Handler, docs: Docs) -> Operation {
    Operation { verb: Verb::Put, need, media: Media::Json, handler, docs: Some(docs) }
}

pub(super) const fn hidden(verb: Verb, need: Need, handler: Handler) -> Operation {
    Operation { verb, need, media: Media::Unjudged, handler, docs: None }
}
