//! The platform role: the central server of many stations.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use platform::{Platform, PlatformConfig};

use crate::Failure;
use crate::arguments::PlatformOptions;
use crate::proof::Trial;
use crate::role::{self, Addresses, Signs, address};

pub fn run(options: PlatformOptions) -> Result<(), Failure> {
    let intake = address(&options.intake, "--intake")?;
    let addresses = Addresses::of(options.https.as_deref(), options.http.as_deref())?;
    allow_many_files();
    let trial = Trial {
        data: options.data.clone(),
        appliance: options.appliance.clone(),
        good_after: options.good_after,
    };
    let config = PlatformConfig { data: options.data, intake, appliance: options.appliance };
    let server = Platform::start(&config).map_err(Failure::refused)?;
    let (info, stations) = (server.info(), server.devices().len());
    let greeting = [
        format!("hookline {} {}: platform of {stations} stations", info.version, info.serial),
        format!("key: {}", server.fingerprint()),
        format!("intake: {}", server.intake_address()),
    ];
    let (watched, asked) = (server.clone(), web::Served::from(server.clone()));
    let signs = Signs {
        moves: Box::new(move || watched.is_moving()),
        faults: Box::new(move || asked.not_well().into_iter().map(str::to_owned).collect()),
    };
    let served = role::serve(
        server.clone(),
        server.catalog(),
        &addresses,
        &greeting,
        signs,
        trial,
        role::never_again(),
    );
    // Whatever became of the pages: what is in hand is put away.
    server.stop();
    served.map(drop)
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
