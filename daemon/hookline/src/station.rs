//! The station role: the recorder, and its pages in front of it.

use station::{Station, StationConfig};

use crate::Failure;
use crate::arguments::StationOptions;
use crate::role::{self, Addresses};

pub fn run(options: StationOptions) -> Result<(), Failure> {
    let addresses = Addresses::of(Some(&options.https), options.http.as_deref())?;
    let config =
        StationConfig { data: options.data, scenario: options.scenario, appliance: options.appliance };
    let recorder = Station::start(&config).map_err(Failure::refused)?;
    let info = recorder.info();
    let ports = recorder.live().ports().len();
    let greeting = [format!("hookline {} {}: recording {ports} ports", info.version, info.serial)];
    let served = role::serve(recorder.clone(), recorder.catalog(), &addresses, &greeting);
    // Whatever became of the pages: what is open is closed properly.
    recorder.stop().map_err(Failure::failed)?;
    served
}
