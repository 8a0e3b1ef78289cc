//! The platform role: the central server of many stations.

use std::io::Write;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use platform::{Platform, PlatformConfig};

use crate::Failure;
use crate::arguments::PlatformOptions;
use crate::role::{StopSignals, address};

pub fn run(options: PlatformOptions) -> Result<(), Failure> {
    let intake = address(&options.intake, "--intake")?;
    options.https.as_deref().map(|text| address(text, "--https")).transpose()?;
    options.http.as_deref().map(|text| address(text, "--http")).transpose()?;
    allow_many_files();
    let server = Platform::start(&PlatformConfig { data: options.data, intake }).map_err(Failure::refused)?;
    let served = serve(&server);
    // Whatever became of it: what is in hand is put away.
    server.stop();
    served
}

/// Each station is an open file, and each file that comes another: as many as this account may have.
fn allow_many_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Without, the platform serves as many stations as it may have files.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

fn serve(server: &Platform) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
    runtime.block_on(async {
        // Before anybody is told that the platform is there: from then on it may be asked to stop.
        let stop = StopSignals::install().map_err(Failure::failed)?;
        greet(server);
        stop.received().await;
        Ok(())
    })
}

/// What the installer needs to see, and nothing more.
fn greet(server: &Platform) {
    let mut out = std::io::stdout().lock();
    let info = server.info();
    let (address, count) = (server.intake_address(), server.devices().len());
    // Nobody may be reading; the platform goes on.
    let _ = writeln!(out, "hookline {} {}: platform of {count} stations", info.version, info.serial);
    let _ = writeln!(out, "key: {}", server.fingerprint());
    let _ = writeln!(out, "intake: {address}");
    let _ = out.flush();
}
