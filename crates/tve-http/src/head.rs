//! What is wrong with the head of a request before anybody looks at what it asks for.

use crate::reply::ApiError;
use hyper::header::HOST;
use hyper::{Request, Version};
use tve_control::RefusalCode;

/// Why nobody can tell what `request` is sent to: a target without a path, or a Host that is missing
/// or given twice (RFC 9112, 3.2).
pub(crate) fn fault<B>(request: &Request<B>) -> Option<ApiError> {
    if !request.uri().path().starts_with('/') {
        return Some(ApiError::new(
            RefusalCode::InvalidTarget,
            "the target of a request must be a path that begins with /",
        ));
    }
    let hosts = request.headers().get_all(HOST).iter().count();
    let needed = usize::from(request.version() >= Version::HTTP_11);
    (!(needed..=1).contains(&hosts)).then(|| {
        ApiError::new(
            RefusalCode::InvalidHost,
            format!("send one Host header, as HTTP/1.1 asks for; this request has {hosts}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse as _;

    fn status(version: Version, target: &str, hosts: usize) -> Option<u16> {
        let mut request = Request::builder().version(version).uri(target);
        for _ in 0..hosts {
            request = request.header(HOST, "localhost");
        }
        fault(&request.body(()).unwrap()).map(|fault| fault.into_response().status().as_u16())
    }

    #[test]
    fn a_target_is_a_path_and_http_1_1_has_one_host() {
        for (version, target, hosts, wanted) in [
            (Version::HTTP_11, "/", 1, None),
            (Version::HTTP_11, "http://localhost/health", 1, None),
            (Version::HTTP_10, "/", 1, None),
            (Version::HTTP_10, "/", 0, None),
            (Version::HTTP_10, "/", 2, Some(400)),
            (Version::HTTP_11, "/", 0, Some(400)),
            (Version::HTTP_11, "/", 2, Some(400)),
            (Version::HTTP_11, "foo", 1, Some(400)),
            (Version::HTTP_11, "foo:80", 1, Some(400)),
            (Version::HTTP_11, "*", 1, Some(400)),
        ] {
            assert_eq!(status(version, target, hosts), wanted, "{version:?} {target} {hosts}");
        }
    }
}
