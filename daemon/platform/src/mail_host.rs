//! What e-mail needs to know of the platform that sends it.

use std::sync::{Arc, OnceLock, Weak};

use chrono_tz::Tz;
use mail::{Host, Mail};
use recording::{DataDir, FreeSpace};
use upkeep::BoxClock;

use crate::platform::{Inner, Platform};
use crate::settings::Book;

/// Holds parts of the platform, not the platform that holds it.
pub(crate) struct PlatformHost {
    pub serial: String,
    pub settings: Arc<Book>,
    pub clock: BoxClock,
    pub data: Arc<DataDir>,
    /// Set as soon as there is a platform.
    pub platform: OnceLock<Weak<Inner>>,
}

impl Host for PlatformHost {
    fn name(&self) -> String {
        self.settings.now().name.clone()
    }

    fn serial(&self) -> String {
        self.serial.clone()
    }

    fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    fn zone(&self) -> Tz {
        self.clock.zone()
    }

    fn free_space(&self) -> Option<FreeSpace> {
        self.data.free_space().ok()
    }

    fn offline(&self) -> Option<Vec<String>> {
        let inner = self.platform.get()?.upgrade()?;
        let (minute, limit) = (inner.tuning.minute, inner.settings.now().station_offline_after_min);
        let away = inner.stations.watched().into_iter().filter(|one| one.is_missed(limit, minute));
        Some(away.map(|station| station.serial).collect())
    }
}

impl Platform {
    /// E-mail push (PF-12).
    pub fn mail(&self) -> &Mail {
        &self.inner.mail
    }
}
