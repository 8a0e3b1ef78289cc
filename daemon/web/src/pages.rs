//! The pages of `webui`, compiled in. Text is held gzipped only, and unpacked for the rare client that cannot.

use std::borrow::Cow;
use std::io::Read;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use rust_embed::RustEmbed;

use crate::problem::{Code, Problem};
use crate::random::to_hex;

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/pages"]
struct Files;

/// Shown when the binary was built without pages.
const NO_PAGES: &str = include_str!("no_pages.html");
const INDEX: &str = "index.html";
/// Files whose names carry a hash of their content.
const HASHED: &str = "assets/";

struct Page {
    bytes: Cow<'static, [u8]>,
    etag: String,
    gzipped: bool,
}

fn find(name: &str) -> Option<Page> {
    let (file, gzipped) = match Files::get(name) {
        Some(file) => (file, false),
        None => (Files::get(&format!("{name}.gz"))?, true),
    };
    let etag = format!("\"{}\"", to_hex(&file.metadata.sha256_hash()[..16]));
    Some(Page { bytes: file.data, etag, gzipped })
}

/// A file of the pages; every other address that could be one of the app's own views gets the app itself.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    if path.starts_with("/api/") {
        let title = format!("There is nothing at {path}.");
        return Problem::new(Code::RouteNotFound, title).with("path", path).into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return Problem::method_not_allowed(&method).into_response();
    }
    let name = path.trim_start_matches('/');
    // A view has no ending; an absent script must not be answered with a page.
    let is_view = !name.rsplit('/').next().unwrap_or_default().contains('.');
    let (name, page) = match find(name) {
        Some(page) => (name, page),
        None if is_view => match find(INDEX) {
            Some(page) => (INDEX, page),
            None => return no_pages(),
        },
        None => {
            let title = format!("There is nothing at {path}.");
            return Problem::new(Code::RouteNotFound, title).with("path", path).into_response();
        }
    };
    answer(name, page, &headers)
}

fn answer(name: &str, page: Page, request: &HeaderMap) -> Response {
    let caching = if name.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let not_modified =
        known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == page.etag));
    let gzip_taken = request
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(accepts_gzip);
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::from_str(&page.etag) {
        headers.insert(header::ETAG, etag);
    }
    if not_modified {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let bytes = match (page.gzipped, gzip_taken) {
        (true, true) => {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            page.bytes
        }
        (true, false) => {
            let mut plain = Vec::new();
            if let Err(error) = flate2::read::GzDecoder::new(&*page.bytes).read_to_end(&mut plain) {
                return Problem::internal(format!("embedded {name}: {error}")).into_response();
            }
            Cow::Owned(plain)
        }
        (false, _) => page.bytes,
    };
    *response.body_mut() = match bytes {
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    response
}

fn no_pages() -> Response {
    let mut response = (StatusCode::OK, NO_PAGES).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

fn accepts_gzip(value: &str) -> bool {
    value.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        name.eq_ignore_ascii_case("gzip") && !refused
    })
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn get(path: &str) -> Response {
        serve(Method::GET, path.parse().expect("an address"), HeaderMap::new()).await
    }

    #[tokio::test]
    async fn views_get_the_app_and_absent_files_do_not() {
        for view in ["/", "/live", "/recordings/x"] {
            let response = get(view).await;
            assert_eq!(response.status(), StatusCode::OK, "{view}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            assert!(body.starts_with(b"<!"), "{view}");
        }
        for absent in ["/assets/none.js", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "/api/v1/nothing"] {
            assert_eq!(get(absent).await.status(), StatusCode::NOT_FOUND, "{absent}");
        }
        let post = serve(Method::POST, Uri::from_static("/"), HeaderMap::new()).await;
        assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn a_known_page_is_not_sent_again_and_gzip_is_as_the_client_likes() {
        let page = |gzipped| Page { bytes: Cow::Borrowed(b"x"), etag: "\"abc\"".into(), gzipped };
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"xyz\", W/\"abc\""));
        assert_eq!(answer("a.js", page(false), &headers).status(), StatusCode::NOT_MODIFIED);
        headers.clear();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("br, gzip;q=0.5"));
        assert_eq!(answer("a.js", page(true), &headers).headers()[header::CONTENT_ENCODING], "gzip");
        assert!(answer("a.js", page(false), &headers).headers().get(header::CONTENT_ENCODING).is_none());
        assert!(
            accepts_gzip("gzip")
                && accepts_gzip("br,GZIP")
                && !accepts_gzip("gzip;q=0")
                && !accepts_gzip("br")
        );
        let hashed = answer("assets/a.js", page(false), &headers);
        assert!(hashed.headers()[header::CACHE_CONTROL].to_str().expect("text").contains("immutable"));
    }
}
