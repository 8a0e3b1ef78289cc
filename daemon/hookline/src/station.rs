//! The station role: the recorder, and its pages in front of it.

use std::io::Write;
use std::time::Duration;

use station::{Station, StationConfig};
use web::{FirstPassword, Server, WebConfig};

use crate::Failure;
use crate::arguments::StationOptions;
use crate::role::{StopSignals, address};

pub fn run(options: StationOptions) -> Result<(), Failure> {
    let https = address(&options.https, "--https")?;
    let http = options.http.as_deref().map(|text| address(text, "--http")).transpose()?;
    let config = StationConfig { data: options.data, scenario: options.scenario };
    let recorder = Station::start(&config).map_err(Failure::refused)?;
    let served = serve(&recorder, WebConfig { https, http });
    // Whatever became of the pages: what is open is closed properly.
    recorder.stop().map_err(Failure::failed)?;
    served
}

/// Work of the pages that is not done by then is left.
const PAGES_END_WITHIN: Duration = Duration::from_secs(5);

fn serve(recorder: &Station, config: WebConfig) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("pages")
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    let served = runtime.block_on(async {
        // Before anybody is told that the station is there: from then on it may be asked to stop.
        let stop = StopSignals::install().map_err(Failure::failed)?;
        let server = Server::bind(config, recorder.clone()).await.map_err(Failure::refused)?;
        // Behind the binding: a start that fails for an address has made no password that nobody saw.
        let first = web::ensure_first_account(recorder.catalog()).map_err(Failure::failed)?;
        greet(recorder, &server, first.as_ref());
        server.run(stop.received()).await;
        Ok(())
    });
    // An export that is still being made does not hold up the closing of what is open.
    runtime.shutdown_timeout(PAGES_END_WITHIN);
    served
}

/// What the installer needs to see, and nothing more.
fn greet(recorder: &Station, server: &Server, first: Option<&FirstPassword>) {
    let mut out = std::io::stdout().lock();
    let info = recorder.info();
    let ports = recorder.live().ports().len();
    // Nobody may be reading; the recorder goes on.
    let _ = writeln!(out, "hookline {} {}: recording {ports} ports", info.version, info.serial);
    if let Some(first) = first {
        let _ =
            writeln!(out, "first login: {}  password: {}  (must be changed)", first.account, first.password);
    }
    if let Some(address) = server.https_address() {
        let host =
            if address.ip().is_unspecified() { "localhost".to_owned() } else { address.ip().to_string() };
        let _ = writeln!(out, "pages: https://{host}:{}", address.port());
    }
    let _ = out.flush();
}
