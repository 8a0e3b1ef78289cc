//! The box's capture units: which there are, their drivers, and what is known of them while they run.

mod found;
pub mod settings;
mod watch;

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use capture::{Driver, Feed, News, UnitClock, feed};
use signal::SampleIndex;

pub use self::found::UnitsFound;
pub use self::settings::{UnitBook, UnitSettings, UnitSettingsError};
pub use self::watch::{UnitNow, UnitState, UnitWatch};
use crate::capture_thread::{Input, Source, TrackGroup};
use crate::care::Notice;
use crate::channels::Channel;
use crate::error::StationError;
use crate::group::{Group, Member};
use crate::replay::group_ranges;
use crate::timekeeper::Timekeeper;

/// Starts the driver of a unit, which fills the feed and tells the news. Tests have units of their own.
pub type StartDriver = dyn Fn(&UnitSettings, Feed, News) -> io::Result<Driver> + Send + Sync;

/// Looks at what is plugged in.
pub type FindUnits = dyn Fn() -> UnitsFound + Send + Sync;

/// The ports of the units as channels that nobody has set yet, in the order of the ports.
pub(crate) fn default_channels(units: &[UnitSettings]) -> Vec<Channel> {
    let each = units.iter().flat_map(|unit| {
        unit.ports().map(move |port| {
            let mut settings = line::ChannelSettings::default();
            if matches!(unit.place, capture::UnitPlace::Pcm { .. }) {
                // Nothing measures the voltage of what a sound card hears.
                settings.start_mode = line::StartMode::Voice;
            }
            Channel {
                port,
                name: String::new(),
                line_number: None,
                port_use: line::PortUse::default(),
                settings,
            }
        })
    });
    each.collect()
}

/// Which of the members, that stand in the order of the units, are those of each unit.
fn ranges(units: &[UnitSettings]) -> Vec<Range<usize>> {
    let mut begin = 0;
    let of_unit = |unit: &UnitSettings| {
        let range = begin..begin + usize::from(unit.lines);
        begin = range.end;
        range
    };
    units.iter().map(of_unit).collect()
}

/// What the capture thread reads, and what keeps it coming.
pub(crate) struct Started {
    pub inputs: Vec<Input>,
    pub drivers: Vec<Driver>,
    pub watch: UnitWatch,
    /// Of each member's unit.
    pub clocks: Vec<Arc<UnitClock>>,
}

/// Starts the drivers of all units. `members` stand in the order of the units' ports.
///
/// # Errors
/// A setting that no channel can have; a system without threads.
pub(crate) fn start(
    units: &[UnitSettings],
    members: &[Member],
    keeper: &Timekeeper,
    notices: &Sender<Notice>,
    start_driver: &StartDriver,
) -> Result<Started, StationError> {
    let watch = UnitWatch::new(notices.clone());
    let (mut inputs, mut drivers, mut clocks) = (Vec::new(), Vec::new(), Vec::new());
    for (unit, range) in units.iter().zip(ranges(units)) {
        let (feed, intake) = feed(unit.tracks().into(), unit.lines.into(), keeper.origin_us());
        let clock = feed.clock();
        let (news, told) = channel();
        clocks.extend(range.clone().map(|_| clock.clone()));
        let groups = groups(&members[range])?;
        watch.add(unit.clone(), clock.clone(), told);
        let names = [unit.name.clone()].into();
        inputs.push(Input::new(Source::Unit(intake), groups, names, keeper.of_unit(clock)));
        let driver = start_driver(unit, feed, news).map_err(|source| StationError::Thread { source })?;
        drivers.push(driver);
    }
    Ok(Started { inputs, drivers, watch, clocks })
}

/// The members of one unit in groups, each with its tracks.
fn groups(members: &[Member]) -> Result<Vec<TrackGroup>, StationError> {
    let mut track = 0;
    let of_range = |range: Range<usize>| {
        let port = members[range.start].port;
        let place = range.start as u16;
        let group = Group::new(members[range].to_vec(), place, SampleIndex(0), false)
            .map_err(|reason| StationError::Setting { port, reason })?;
        let tracks = track..track + group.tracks();
        track = tracks.end;
        Ok(TrackGroup { group, tracks })
    };
    group_ranges(members).into_iter().map(of_range).collect()
}
