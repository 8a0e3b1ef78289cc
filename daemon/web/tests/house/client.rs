//! A client with a cookie, over TLS that trusts the box's own certificate only.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;

use super::contract;

pub type Tls = TlsStream<TcpStream>;

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as JSON, if the status is the expected one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// The problem's parameters, if it is the expected one.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(problem["code"], code, "{problem}");
        problem["params"].clone()
    }

    pub fn header(&self, name: impl Into<HeaderName>) -> &str {
        self.headers.get(name.into()).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub struct Client {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    pub cookie: Option<String>,
    pub csrf: Option<String>,
}

impl Client {
    pub fn new(address: SocketAddr, certificate: PathBuf) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).expect("a certificate")).expect("added");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { address, tls: Arc::new(tls), cookie: None, csrf: None }
    }

    pub async fn connect(&self) -> Tls {
        let stream = TcpStream::connect(self.address).await.expect("connected");
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(self.tls.clone()).connect(name, stream).await.expect("TLS")
    }

    /// The status of a request over HTTP/2.
    pub async fn http2(&self, path: &str) -> u16 {
        let mut tls = (*self.tls).clone();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = TcpStream::connect(self.address).await.expect("connected");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.expect("TLS");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.expect("HTTP/2");
        tokio::spawn(connection);
        let request =
            Request::builder().uri(format!("https://localhost{path}")).body(Full::<Bytes>::default());
        let response = sender.send_request(request.expect("a request")).await.expect("an answer");
        let status = response.status().as_u16();
        response.into_body().collect().await.expect("a body");
        status
    }

    /// Sends a request as it is, and holds the answer against the contract.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let (method, path) = (request.method().to_string(), request.uri().to_string());
        let answer = self.send_unchecked(request).await;
        if let Some(path) = path.strip_prefix("/api/v1") {
            let media_type = answer.header(header::CONTENT_TYPE);
            contract::check(&method, path, answer.status, media_type, &answer.body);
        }
        answer
    }

    pub async fn send_unchecked(&self, request: Request<Full<Bytes>>) -> Answer {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(self.connect().await)).await.expect("HTTP");
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        drop(sender);
        let _ = connection.await;
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// A request of the interface with cookie and CSRF token, if there are any.
    pub fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        let mut builder = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::HOST, self.address.to_string());
        if let Some(cookie) = &self.cookie {
            builder = builder.header(header::COOKIE, cookie);
        }
        if let Some(csrf) = &self.csrf {
            builder = builder.header("x-hookline-csrf", csrf);
        }
        builder
    }

    pub async fn get(&self, path: &str) -> Answer {
        let request = self.request(Method::GET, path).body(Full::default()).expect("a request");
        self.send(request).await
    }

    pub async fn get_with(&self, method: Method, path: &str, name: HeaderName, value: &str) -> Answer {
        let request = self.request(method, path).header(name, value).body(Full::default());
        self.send(request.expect("a request")).await
    }

    pub async fn with_body(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.request(method, path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Full::from(body.to_string())).expect("a request")).await
    }

    pub async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.with_body(Method::POST, path, body).await
    }

    pub async fn patch(&mut self, path: &str, body: Value) -> Answer {
        self.with_body(Method::PATCH, path, body).await
    }

    /// POST or DELETE without a body.
    pub async fn bare(&self, method: Method, path: &str) -> Answer {
        self.send(self.request(method, path).body(Full::default()).expect("a request")).await
    }

    pub async fn login(&mut self, name: &str, password: &str) -> Answer {
        let body = serde_json::json!({ "name": name, "password": password });
        let answer = self.post("/login", body).await;
        if answer.status == 200 {
            let cookie = answer.header(header::SET_COOKIE).split(';').next().unwrap_or_default();
            self.cookie = Some(cookie.to_owned());
            self.csrf = answer.json()["csrf"].as_str().map(str::to_owned);
        }
        answer
    }

    /// Opens a WebSocket; the status of the refusal when there is none.
    pub async fn socket(&self, path: &str, origin: Option<&str>) -> Result<WebSocketStream<Tls>, u16> {
        use tokio_tungstenite::tungstenite::Error;
        use tokio_tungstenite::tungstenite::client::IntoClientRequest;
        let url = format!("wss://{}/api/v1{path}", self.address);
        let mut request = url.into_client_request().expect("a request");
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(header::COOKIE, HeaderValue::from_str(cookie).expect("a cookie"));
        }
        if let Some(origin) = origin {
            request.headers_mut().insert(header::ORIGIN, HeaderValue::from_str(origin).expect("an origin"));
        }
        match tokio_tungstenite::client_async(request, self.connect().await).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }
}
