//! A real station behind a real TLS socket, and a client that holds every answer against the contract.

#![allow(dead_code, unused_imports)] // every test file uses a part

pub mod client;
pub mod contract;
pub mod organisation;
pub mod scenario;

use std::path::PathBuf;
use std::time::Duration;

use hookline_web::{Served, Server, WebConfig, ensure_first_account};
use serde_json::{Value, json};
use station::{Station, StationConfig};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use client::{Answer, Client};

pub const NEW_PASSWORD: &str = "correct horse battery";

/// Pages that are served, and who logs in there.
pub struct Serving {
    pub address: std::net::SocketAddr,
    pub http_address: std::net::SocketAddr,
    pub first_password: String,
    certificate: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl Serving {
    pub async fn start(served: impl Into<Served>) -> Self {
        let served: Served = served.into();
        let first = ensure_first_account(served.catalog()).expect("an account").expect("the first one");
        let unseen = first.password;
        let first = ensure_first_account(served.catalog()).expect("looked").expect("nobody has used it");
        assert_ne!(unseen, first.password, "kept nowhere");
        let certificate = served.data_dir().path().join("identity/tls-certificate.pem");
        let any = "127.0.0.1:0".parse().expect("an address");
        let server = Server::bind(WebConfig { https: any, http: Some(any) }, served).await.expect("bound");
        let address = server.https_address().expect("bound");
        let http_address = server.http_address().expect("bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Self {
            address,
            http_address,
            first_password: first.password,
            certificate,
            stop: Some(stop),
            server: Some(server),
        }
    }

    pub async fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            tokio::time::timeout(Duration::from_secs(10), server)
                .await
                .expect("ends in time")
                .expect("no panic");
        }
    }

    pub fn client(&self) -> Client {
        Client::new(self.address, self.certificate.clone())
    }

    /// Logged in with every right.
    pub async fn admin(&self) -> Client {
        let mut client = self.client();
        let first = client.login("admin", &self.first_password).await;
        if first.status == 401 {
            client.login("admin", NEW_PASSWORD).await.expect(200);
            return client;
        }
        first.expect(200);
        let change = json!({ "old": self.first_password, "new": NEW_PASSWORD });
        let session = client.post("/password", change).await.expect(200);
        assert_eq!(session["must_change_password"], false);
        client
    }

    /// Logged in with these rights only.
    pub async fn person(&self, admin: &mut Client, name: &str, rights: &[&str]) -> Client {
        self.person_with(admin, json!({ "name": name, "rights": rights })).await
    }

    /// Logged in with an account that has these members.
    pub async fn person_with(&self, admin: &mut Client, mut account: Value) -> Client {
        let first = "first words of all";
        account["password"] = first.into();
        admin.post("/accounts", account.clone()).await.expect(201);
        let name = account["name"].as_str().expect("a name");
        let mut client = self.client();
        client.login(name, first).await.expect(200);
        client.post("/password", json!({ "old": first, "new": NEW_PASSWORD })).await.expect(200);
        client
    }
}

/// A running station. Dropping it stops everything.
pub struct House {
    pub data: TempDir,
    pub station: Station,
    serving: Serving,
}

impl std::ops::Deref for House {
    type Target = Serving;

    fn deref(&self) -> &Serving {
        &self.serving
    }
}

impl House {
    /// Two ports on which a short call repeats every few seconds.
    pub async fn open() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let scenario = data.path().join("scenario");
        scenario::make(&scenario);
        let appliance = data.path().join("appliance.sock");
        let config = StationConfig { data: data.path().join("data"), scenario: Some(scenario), appliance };
        let station = tokio::task::spawn_blocking(move || Station::start(&config))
            .await
            .expect("no panic")
            .expect("a station");
        let serving = Serving::start(station.clone()).await;
        Self { data, station, serving }
    }

    pub async fn close(mut self) {
        self.serving.stop().await;
        let station = self.station.clone();
        tokio::task::spawn_blocking(move || station.stop()).await.expect("no panic").expect("stopped");
    }

    /// Waits until a recording with audio is in the list.
    pub async fn a_recording(&self, client: &mut Client) -> Value {
        for _ in 0..300 {
            let list = client.get("/recordings?audio=with&limit=1").await.expect(200);
            if let Some(recording) = list["items"].get(0) {
                return recording.clone();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no recording within 30 s");
    }
}
