//! What e-mail needs to know of the station that sends it.

use std::sync::Arc;

use chrono_tz::Tz;
use mail::{Host, Mail};
use recording::{DataDir, FreeSpace};

use crate::box_settings::BoxBook;
use crate::station::Station;
use crate::timekeeper::Timekeeper;

pub(crate) struct StationHost {
    pub serial: String,
    pub settings: Arc<BoxBook>,
    pub keeper: Timekeeper,
    pub data: Arc<DataDir>,
}

impl Host for StationHost {
    fn name(&self) -> String {
        self.settings.now().name.clone()
    }

    fn serial(&self) -> String {
        self.serial.clone()
    }

    fn now_us(&self) -> i64 {
        self.keeper.now_us()
    }

    fn zone(&self) -> Tz {
        self.keeper.zone()
    }

    fn free_space(&self) -> Option<FreeSpace> {
        self.data.free_space().ok()
    }

    fn offline(&self) -> Option<Vec<String>> {
        None
    }
}

impl Station {
    /// E-mail push, as a platform has it (PF-12).
    pub fn mail(&self) -> &Mail {
        &self.inner.mail
    }
}
