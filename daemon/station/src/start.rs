//! Starting a station: what is opened, in which order, and which threads run.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use appliance::Appliance;
use capture::{Scenario, ScenarioSource, UnitClock};
use catalog::Catalog;
use mail::{Mail, MailConfig};
use recording::DataDir;
use rtrb::RingBuffer;
use signal::SampleIndex;
use tokio::sync::watch;

use crate::archive::Archive;
use crate::box_settings::BoxBook;
use crate::capture_thread::{self, Input, Source, TrackGroup, World};
use crate::care::{Care, Notice};
use crate::channels::{Channel, Channels};
use crate::dispatch::Dispatch;
use crate::error::StationError;
use crate::group::{Group, Member};
use crate::health::Pulse;
use crate::identity::{self, Role};
use crate::live::{Live, PortLive};
use crate::mail_host::StationHost;
use crate::replay::{group_ranges, members};
use crate::station::{BoxInfo, Inner, RUNNING_MARK, Running, Station, StationConfig};
use crate::timekeeper::Timekeeper;
use crate::tuning::Tuning;
use crate::units::{self, UnitBook, UnitSettings};
use crate::uplink::{self, Link, PlatformBook};
use crate::weekly::Weekly;

impl Station {
    /// Opens the data folder, repairs what the last stop left, and records from now on.
    ///
    /// # Errors
    /// One sentence: a folder in use or of a newer release, a wrong setting, a broken scenario.
    pub fn start(config: &StationConfig) -> Result<Self, StationError> {
        Self::start_tuned(config, Tuning::default())
    }

    /// As `start`, with other measures of the box, and other waits.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_tuned(config: &StationConfig, tuning: Tuning) -> Result<Self, StationError> {
        // The input is read before anything is touched: a broken scenario leaves no new data folder behind.
        let scenario = config.scenario.as_deref().map(Scenario::load).transpose()?;
        let scenario_members = scenario.as_ref().map(members).transpose()?;
        let data = Arc::new(DataDir::open(&config.data)?);
        let unit_book = UnitBook::load(data.path().join("settings/units.toml"))?;
        // A scenario stands in for the box's units.
        let live_units = if scenario.is_some() { Vec::new() } else { unit_book.now() };
        let mut members = scenario_members.unwrap_or_else(|| live_members(&live_units));
        let settings = Arc::new(BoxBook::load(data.path().join("settings/box.toml"))?);
        let channels = Channels::load(
            data.path().join("settings/channels.toml"),
            members.iter().map(default_channel).collect(),
        )?;
        for member in &mut members {
            member.end = None;
            member.codec = settings.now().codec;
            if let Some(channel) = channels.get(member.port) {
                member.name.clone_from(&channel.name);
                member.line_number.clone_from(&channel.line_number);
                member.port_use = channel.port_use;
                member.settings = channel.settings.clone();
            }
        }
        let platform = PlatformBook::load(data.path().join("settings/platform.toml"))?;
        let serial = identity::serial(&data, Role::Station)?;
        let (catalog, report) = Catalog::open(data.path(), catalog::Options::new(serial.as_str()))?;
        report.damage.iter().for_each(|sentence| eprintln!("{sentence}"));
        let after_power_loss = mark_running(&data);
        let (requests, requests_out) = channel();
        let (notices, notices_out) = channel();
        let (changes, changes_out) = channel();
        let link = Arc::new(Link::new(
            data.path().join("identity/device-key.pem"),
            platform,
            tuning.clock.now().utc_us,
        ));
        let archive = Arc::new(archive(&catalog, settings.clone(), link.clone(), notices.clone()));
        let (recorder, service) = recording::start(
            &data,
            recording::Settings {
                serial: serial.clone(),
                ports: members.iter().map(|m| (m.codec, m.tracks as u16)).collect(),
                power_safe: true,
            },
            archive,
        )?;

        let live = Arc::new(Live::new(members.iter().map(idle_port).collect()));
        let (told_in, told_out) = RingBuffer::new(tuning.messages);
        let told_dropped = Arc::new(AtomicU64::new(0));
        // Sample 0 is now: whatever takes its time at a start lies behind.
        let keeper = Timekeeper::starting_now(tuning.clock.clone(), settings.now().zone());
        let started = units::start(&live_units, &members, &keeper, &notices, &*tuning.start_driver)?;
        let units::Started { mut inputs, drivers, watch, clocks } = started;
        if let Some(scenario) = &scenario {
            inputs = scenario_inputs(scenario, &members, &keeper)?;
        }
        let keepers = keepers(&keeper, &clocks, members.len());
        let pulse = Arc::new(Pulse::starting(inputs.len()));
        // Times of the week that hold now are told before the first block: no sample is kept, or missed, by mistake.
        let mut weekly = Weekly::new(channels.all());
        weekly.tell_changes(&keeper, &requests);
        let world = World {
            recorder: recorder.clone(),
            live: live.clone(),
            told: told_in,
            dropped: told_dropped.clone(),
            overflowed: false,
            notices: notices.clone(),
            pulse: pulse.clone(),
        };
        let dispatch_stop = Arc::new(AtomicBool::new(false));
        let capture = spawn("capture", move || {
            capture::unit::ask_for_real_time();
            capture_thread::run(inputs, world, &requests_out);
        })?;
        let dispatch = Dispatch {
            live: live.clone(),
            keepers,
            keeper: keeper.clone(),
            units: watch.clone(),
            notices: notices.clone(),
            requests: requests.clone(),
            weekly,
            changes: changes_out,
        };
        let stop = dispatch_stop.clone();
        let dispatch = spawn("dispatch", move || dispatch.run(told_out, &stop))?;
        let care = Care::new(
            catalog.clone(),
            data.clone(),
            keeper.clone(),
            settings.clone(),
            link.clone(),
            tuning.clone(),
            told_dropped.clone(),
        );
        let care = spawn("care", move || care.run(&notices_out, after_power_loss))?;
        let host = StationHost {
            serial: serial.clone(),
            settings: settings.clone(),
            keeper: keeper.clone(),
            data: data.clone(),
        };
        let mail = Mail::start(MailConfig {
            data: data.path().to_owned(),
            catalog: catalog.clone(),
            host: Arc::new(host),
            tuning: mail::Tuning::default(),
        });
        let mail = mail.map_err(|source| StationError::Thread { source })?;
        let info = BoxInfo {
            serial,
            name: settings.now().name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            started: keeper.text(keeper.now_us()),
        };
        let inner = Arc::new(Inner {
            info,
            settings,
            data,
            catalog,
            keeper,
            live,
            channels: Mutex::new(channels),
            unit_book,
            find_units: tuning.find_units.clone(),
            plays_scenario: scenario.is_some(),
            again: watch::Sender::new(false),
            units: watch,
            calibrations: Mutex::default(),
            requests,
            notices,
            changes,
            told_dropped,
            pulse,
            recorder,
            link,
            mail,
            appliance: Appliance::at(&config.appliance),
            running: Mutex::default(),
        });
        let world = uplink::World {
            serial: inner.info.serial.clone(),
            catalog: inner.catalog.clone(),
            data: inner.data.clone(),
            keeper: inner.keeper.clone(),
            live: inner.live.clone(),
            settings: inner.settings.clone(),
            link: inner.link.clone(),
            tuning,
            peak: uplink::Peak::default(),
            appliance: inner.appliance.clone(),
            station: Arc::downgrade(&inner),
        };
        let uplink = spawn("uplink", move || uplink::run(world))?;
        let running = Running { capture, drivers, dispatch, dispatch_stop, care, uplink, recorder: service };
        *inner.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        Ok(Self { inner })
    }
}

fn archive(catalog: &Catalog, settings: Arc<BoxBook>, link: Arc<Link>, notices: Sender<Notice>) -> Archive {
    Archive::new(
        catalog.clone(),
        Box::new(move |facts| settings.now().grade_of(facts)),
        Box::new(move |_| link.tell_news()),
        Box::new(move |notice| {
            // The care thread ends after the recorder; without it there is nobody to tell.
            let _ = notices.send(notice);
        }),
    )
}

/// A thread whose panic ends the process: a station that goes on without one of them would look well and record
/// nothing. Started again, it finds everything in the log.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StationError> {
    let work = move || {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
            std::process::abort();
        }
    };
    std::thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .map_err(|source| StationError::Thread { source })
}

/// True when the mark of a run before is still there: it ended without stopping. A disk that does not take the mark
/// keeps nobody from recording.
fn mark_running(data: &DataDir) -> bool {
    let path = data.path().join(RUNNING_MARK);
    let left = path.exists();
    if let Err(error) = recording::write_atomically(&path, b"") {
        eprintln!("{}: {error}", path.display());
    }
    left
}

fn default_channel(member: &Member) -> Channel {
    Channel {
        port: member.port,
        name: member.name.clone(),
        line_number: member.line_number.clone(),
        port_use: member.port_use,
        settings: member.settings.clone(),
    }
}

fn idle_port(member: &Member) -> PortLive {
    PortLive {
        port: member.port,
        name: member.name.clone(),
        line_number: member.line_number.clone(),
        state: line::PortState::Idle,
        since: None,
        peer_number: None,
        peer_name: None,
        call_type: line::CallType::Unknown,
        call_id: None,
        recording_since: None,
        two_track: member.tracks == 2,
    }
}

/// The ports of live units, in their order.
fn live_members(units: &[UnitSettings]) -> Vec<Member> {
    let layouts = units.iter().flat_map(|unit| unit.ports().map(|_| unit.layout()));
    let each = units::default_channels(units).into_iter().zip(layouts).enumerate();
    each.map(|(index, (channel, layout))| Member {
        index,
        port: channel.port,
        name: channel.name,
        line_number: channel.line_number,
        tracks: layout.tracks(),
        codec: recording::Codec::ALaw,
        settings: channel.settings,
        port_use: channel.port_use,
        end: None,
    })
    .collect()
}

/// Of each port: the time of its samples.
fn keepers(keeper: &Timekeeper, clocks: &[Arc<UnitClock>], ports: usize) -> Vec<Timekeeper> {
    let of = |index: usize| match clocks.get(index) {
        Some(clock) => keeper.of_unit(clock.clone()),
        None => keeper.clone(),
    };
    (0..ports).map(of).collect()
}

fn scenario_inputs(
    scenario: &Scenario,
    members: &[Member],
    keeper: &Timekeeper,
) -> Result<Vec<Input>, StationError> {
    group_ranges(members)
        .into_iter()
        .map(|range| {
            let port = members[range.start].port;
            let group = Group::new(members[range.clone()].to_vec(), 0, SampleIndex(0), false)
                .map_err(|reason| StationError::Setting { port, reason })?;
            let units = scenario.channels[range.clone()].iter().map(|channel| channel.unit.clone()).collect();
            let tracks = 0..group.tracks();
            let source = Source::Scenario(ScenarioSource::looped(scenario, range));
            Ok(Input::new(source, vec![TrackGroup { group, tracks }], units, keeper.clone()))
        })
        .collect()
}
