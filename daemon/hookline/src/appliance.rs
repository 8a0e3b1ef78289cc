//! The appliance process: what needs root, behind a socket.

use std::io::Write;

use ::appliance::{Config, NetworkTuning, Server, Tuning};

use crate::Failure;
use crate::arguments::ApplianceOptions;
use crate::role::StopSignals;

pub fn run(options: ApplianceOptions) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
    runtime.block_on(async {
        let stop = StopSignals::install().map_err(Failure::failed)?;
        let greeting = format!("appliance: {}", options.socket.display());
        let network_tuning =
            NetworkTuning { confirm_within: options.confirm_within, ..NetworkTuning::default() };
        let tuning = Tuning { network: network_tuning, ..Tuning::default() };
        let config = Config {
            socket: options.socket,
            for_uid: options.for_uid,
            bus: None,
            folder: options.data,
            root: options.root,
            tuning,
        };
        let server = Server::bind(config).map_err(Failure::refused)?;
        // Nobody may be reading; it goes on.
        let _ = writeln!(std::io::stdout(), "{greeting}");
        server.run(stop.received()).await;
        Ok(())
    })
}
