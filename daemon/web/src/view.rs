//! What rows need to be shown with: the box's time zone, names of stations, and whose names of people may be read.

use std::collections::BTreeMap;

use catalog::Scope;
use chrono_tz::Tz;

use crate::app::App;
use crate::problem::Problem;
use crate::role::Served;
use crate::scope::scope_of;
use crate::session::Caller;

/// How a caller is shown rows.
pub struct View {
    app: App,
    scope: Scope,
    pub zone: Tz,
    own_serial: String,
    own_name: String,
}

impl View {
    /// Blocks.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn of(app: &App, caller: &Caller) -> Result<Self, Problem> {
        Ok(Self::within(app, scope_of(app, caller)?))
    }

    pub fn within(app: &App, scope: Scope) -> Self {
        let info = app.served.info();
        Self { app: app.clone(), scope, zone: app.zone(), own_serial: info.serial, own_name: info.name }
    }

    /// The station of a row; one that names none is about this box.
    pub fn station<'a>(&'a self, serial: Option<&'a str>) -> &'a str {
        serial.unwrap_or(&self.own_serial)
    }

    /// `None` when the station is not known here (any more).
    pub fn station_name(&self, serial: &str) -> Option<String> {
        if serial == self.own_serial {
            return Some(self.own_name.clone());
        }
        match &self.app.served {
            Served::Station(_) => None,
            Served::Platform(platform) => platform.device(serial).map(|device| device_name(&device)),
        }
    }

    /// The name behind a number that stands in no record yet. Blocks.
    pub fn contact_of(&self, number: &str) -> Option<String> {
        self.app.catalog().name_of_number(&self.scope, number).ok().flatten()
    }

    /// The names of those who use a station's ports. Blocks.
    pub fn users_of(&self, serial: &str) -> BTreeMap<u16, String> {
        self.app.catalog().names_of_ports(&self.scope, serial).unwrap_or_default()
    }

    pub fn scope(&self) -> &Scope {
        &self.scope
    }
}

/// What people call a station: by the name the platform gave it, or by its own.
pub fn device_name(device: &platform::DeviceNow) -> String {
    match (device.device.name.as_str(), &device.own_name) {
        ("", Some(own)) => own.clone(),
        (name, _) => name.to_owned(),
    }
}
