//! Plain HTTP: sends people to HTTPS and says nothing else.

use axum::body::Body;
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode};

/// 308 to the same address by HTTPS; 400 when the request does not say which host it meant.
pub fn to_https<B>(request: &Request<B>, https_port: u16) -> Response<Body> {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok()).and_then(host_name);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let location = host.map(|host| match https_port {
        443 => format!("https://{host}{path}"),
        port => format!("https://{host}:{port}{path}"),
    });
    let mut response = Response::new(Body::empty());
    match location.and_then(|location| HeaderValue::from_str(&location).ok()) {
        Some(location) => {
            *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
            response.headers_mut().insert(header::LOCATION, location);
        }
        None => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response
}

/// The host without its port; `None` for what cannot be one.
fn host_name(host: &str) -> Option<&str> {
    let name = match host.strip_prefix('[') {
        Some(rest) => &host[..rest.find(']')? + 2],
        None => host.split(':').next()?,
    };
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
    plain.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn location(host: &str, path: &str, port: u16) -> Option<String> {
        let request = Request::builder().uri(path).header(header::HOST, host).body(()).expect("a request");
        let response = to_https(&request, port);
        response.headers().get(header::LOCATION).map(|value| value.to_str().expect("text").to_owned())
    }

    #[test]
    fn the_address_stays_the_same_but_for_scheme_and_port() {
        assert_eq!(location("box.local:80", "/a?b=c", 443).as_deref(), Some("https://box.local/a?b=c"));
        assert_eq!(location("10.0.0.1:8080", "/", 8443).as_deref(), Some("https://10.0.0.1:8443/"));
        assert_eq!(location("[::1]:80", "/", 8443).as_deref(), Some("https://[::1]:8443/"));
        for wrong in ["", "a/b", "user@host", "[::1", "a b"] {
            assert_eq!(location(wrong, "/", 443), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_host_leads_elsewhere_than_its_own_name(host in "[ -~]{0,30}") {
            if let Some(location) = location(&host, "/x", 443) {
                prop_assert!(!location["https://".len()..].contains('@'));
                prop_assert!(location.ends_with("/x"));
            }
        }
    }
}
