//! The station role: the recorder, and its pages in front of it.

use std::os::unix::process::CommandExt;
use std::process::Command;

use station::{Station, StationConfig};

use crate::Failure;
use crate::arguments::StationOptions;
use crate::proof::Trial;
use crate::role::{self, Addresses, Ended, Signs};

pub fn run(options: StationOptions) -> Result<(), Failure> {
    let addresses = Addresses::of(Some(&options.https), options.http.as_deref())?;
    let trial = Trial {
        data: options.data.clone(),
        appliance: options.appliance.clone(),
        good_after: options.good_after,
    };
    let config =
        StationConfig { data: options.data, scenario: options.scenario, appliance: options.appliance };
    let recorder = Station::start(&config).map_err(Failure::refused)?;
    let info = recorder.info();
    let ports = recorder.live().ports().len();
    let greeting = [format!("hookline {} {}: recording {ports} ports", info.version, info.serial)];
    let again = recorder.is_to_start_again();
    let (watched, asked) = (recorder.clone(), web::Served::from(recorder.clone()));
    let signs = Signs {
        moves: Box::new(move || watched.is_moving()),
        faults: Box::new(move || asked.not_well().into_iter().map(str::to_owned).collect()),
    };
    let served =
        role::serve(recorder.clone(), recorder.catalog(), &addresses, &greeting, signs, trial, again);
    // Whatever became of the pages: what is open is closed properly.
    recorder.stop().map_err(Failure::failed)?;
    drop(recorder);
    match served? {
        Ended::Stopped => Ok(()),
        Ended::ToStartAgain => Err(start_again()),
    }
}

/// The same program with the same options takes this process over; a service manager does not notice. Returns only when
/// that fails.
fn start_again() -> Failure {
    let error = Command::new("/proc/self/exe").args(std::env::args_os().skip(1)).exec();
    Failure::failed(format!("the recorder cannot be started again: {error}"))
}
