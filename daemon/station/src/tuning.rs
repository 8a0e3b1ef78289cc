//! What a station measures its box by, and how long it waits before it says something. Tests choose otherwise: they
//! cannot wait for minutes, nor make a whole computer hot.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use capture::clock::{Clock, SystemClock};

use crate::units::{FindUnits, StartDriver, UnitsFound};

/// See [`Station::start_tuned`](crate::Station::start_tuned). The default is what a box has.
#[derive(Clone)]
pub struct Tuning {
    pub clock: Arc<dyn Clock>,
    /// `proc` and `sys` lie below it.
    pub system_root: PathBuf,
    /// How often the box looks at its disk, clock, load and files, and tries again to write what it could not.
    pub round: Duration,
    /// After this long a line that is still wrong has said so: alarms of the run before that nothing has raised again
    /// are cleared.
    pub lines_settle: Duration,
    /// An alarm of something lost clears when nothing more was lost for this long.
    pub loss_stands: Duration,
    /// How long the alarm of a restart after power loss stands.
    pub power_loss_stands: Duration,
    /// The pause after the first failed try to reach the platform, and the longest one.
    pub link_first_pause: Duration,
    pub link_longest_pause: Duration,
    /// Messages of the sample path that fit in while the dispatcher sleeps.
    pub messages: usize,
    /// Tests have units of their own.
    pub start_driver: Arc<StartDriver>,
    pub find_units: Arc<FindUnits>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            system_root: "/".into(),
            round: Duration::from_secs(10),
            lines_settle: Duration::from_secs(60),
            loss_stands: Duration::from_secs(60),
            power_loss_stands: Duration::from_secs(600),
            link_first_pause: Duration::from_secs(1),
            link_longest_pause: Duration::from_secs(60),
            messages: 8192,
            start_driver: Arc::new(|unit, feed, news| capture::start(&unit.config(), feed, news)),
            find_units: Arc::new(UnitsFound::look),
        }
    }
}
