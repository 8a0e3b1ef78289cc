//! Setting the clock. The system call is made through a function given at the start, so that tests run all but that call
//! without touching the clock of the machine they run on.

use std::io;
use std::sync::Arc;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_settime};

use crate::error::ApplianceError;

/// 2020-01-01, microseconds of UTC since 1970: no box is older.
pub const EARLIEST_US: i64 = 1_577_836_800_000_000;
/// 2100-01-01, not included.
pub const LATEST_US: i64 = 4_102_444_800_000_000;

/// Sets a clock to microseconds of UTC since 1970.
pub type ClockSetter = Arc<dyn Fn(i64) -> io::Result<()> + Send + Sync>;

/// The machine's own.
pub(crate) fn system_clock() -> ClockSetter {
    Arc::new(|utc_us| {
        let time =
            TimeSpec::new(utc_us.div_euclid(1_000_000), utc_us.rem_euclid(1_000_000).saturating_mul(1000));
        clock_settime(ClockId::CLOCK_REALTIME, time).map_err(io::Error::from)
    })
}

/// # Errors
/// `BadRequest` outside 2020 to 2100; `Clock` when the system refuses.
pub(crate) fn set(setter: &ClockSetter, utc_us: i64) -> Result<(), ApplianceError> {
    if !(EARLIEST_US..LATEST_US).contains(&utc_us) {
        let reason = format!("the time {utc_us} us lies outside the years 2020 to 2099");
        return Err(ApplianceError::BadRequest { reason });
    }
    setter(utc_us).map_err(|source| ApplianceError::Clock { source })
}
