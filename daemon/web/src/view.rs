//! What lists need to know beside their rows: the box's time zone, and the names of stations.

use std::collections::HashMap;

use chrono_tz::Tz;

use crate::app::App;
use crate::problem::Problem;
use crate::role::Served;

/// How rows are shown.
pub struct View {
    pub zone: Tz,
    /// Of this box, about which are rows that name no station.
    pub own_serial: String,
    names: HashMap<String, String>,
}

impl View {
    /// Blocks.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn of(app: &App) -> Result<Self, Problem> {
        let info = app.served.info();
        let own_serial = info.serial.clone();
        let names = match &app.served {
            Served::Station(_) => HashMap::from([(info.serial, info.name)]),
        };
        Ok(Self { zone: app.zone(), own_serial, names })
    }

    /// `None` when the station is not known here (any more).
    pub fn station_name(&self, serial: &str) -> Option<&str> {
        self.names.get(serial).map(String::as_str)
    }
}
