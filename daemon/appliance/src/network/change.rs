//! The one change at a time: tried, then confirmed or taken back. Before anything is set the disk knows that it is being
//! tried, so that whatever ends this process, the former settings count when the next one starts.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use super::check::{self, Plan};
use super::files::{Changed, FileError, Files};
use super::kept::{Ended, Kept, Outcome};
use super::links::{self, Link, LinkKind};
use super::networkd::Networkd;
use super::places::Places;
use super::settings::NetworkSettings;
use crate::bus::Bus;
use crate::error::ApplianceError;

/// While networkd cannot be told of files that have been written, after this long again.
const TELL_AGAIN: Duration = Duration::from_secs(2);
/// A box that runs without networkd has been told by then.
const TELL_TRIES: usize = 60;

/// How long things of the network take.
#[derive(Clone, Copy, Debug)]
pub struct NetworkTuning {
    /// A change that nobody has confirmed by then is taken back.
    pub confirm_within: Duration,
    /// From the answer to what it promises: it has gone out by then, over the address that there was.
    pub apply_after: Duration,
}

impl Default for NetworkTuning {
    fn default() -> Self {
        Self { confirm_within: Duration::from_secs(60), apply_after: Duration::from_millis(500) }
    }
}

/// The network of the box.
#[derive(Clone)]
pub(crate) struct Network(Arc<Shared>);

struct Shared {
    places: Places,
    bus: Bus,
    tuning: NetworkTuning,
    /// Held while something is changed.
    state: Mutex<State>,
}

struct State {
    kept: Kept,
    trying: Option<Trial>,
    /// Files that have been written, and of which networkd has not been told yet.
    untold: Option<Changed>,
}

/// A change that waits for its confirmation.
struct Trial {
    id: u64,
    settings: NetworkSettings,
    until: Instant,
    /// A person has taken it back, which is about to be done.
    reverting: bool,
}

/// The network as it is and as it is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkNow {
    pub links: Vec<Link>,
    /// Those that count after a restart; without secrets.
    pub settings: NetworkSettings,
    /// A change that counts now and waits for its confirmation.
    pub trying: Option<Trying>,
    /// How the last change ended.
    pub last: Option<Ended>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trying {
    pub id: u64,
    /// Without secrets.
    pub settings: NetworkSettings,
    /// Until it is taken back; rounded up.
    pub left_s: u64,
}

impl Network {
    /// As the process before left it, in `folder` and below `root`: what that one tried is taken back. Nothing is written
    /// where nothing was ever set.
    pub(crate) fn open(root: &Path, folder: &Path, bus: Bus, tuning: NetworkTuning) -> Self {
        let places = Places::new(root, folder);
        let mut kept = Kept::read(&places);
        let interrupted = kept.trying.take();
        if let Some(id) = interrupted {
            eprintln!(
                "change {id} of the network was not confirmed when its process ended: it is taken back"
            );
            kept.last = Some(Ended { id, outcome: Outcome::Interrupted, utc_us: now_us() });
        }
        let files = planned(&kept.settings, &places);
        let mut written = files.write(&places).unwrap_or_else(|error| {
            eprintln!("{}", ApplianceError::from(error));
            Changed::default()
        });
        if interrupted.is_some() {
            // What that process still told networkd is not known.
            written = Changed { hang_up: written.hang_up, ..files.all() };
            if let Err(error) = kept.write(&places) {
                eprintln!("{}", ApplianceError::from(error));
            }
        }
        let untold = Some(written).filter(|written| *written != Changed::default());
        let state = Mutex::new(State { kept, trying: None, untold });
        Self(Arc::new(Shared { places, bus, tuning, state }))
    }

    /// Tells networkd what was written at the start, as soon as it answers.
    pub(crate) async fn settle(&self) {
        for attempt in 0..TELL_TRIES {
            if attempt > 0 {
                sleep(TELL_AGAIN).await;
            }
            let mut state = self.0.state.lock().await;
            let Some(untold) = &state.untold else { return };
            match self.0.tell(untold).await {
                Ok(()) => {
                    state.untold = None;
                    return;
                }
                Err(error) if attempt == 0 || attempt + 1 == TELL_TRIES => {
                    eprintln!("the network is not set yet: {error}");
                }
                Err(_) => {}
            }
        }
    }

    /// How things are. Where networkd does not answer, what sysfs says.
    pub(crate) async fn now(&self) -> NetworkNow {
        let description = match Networkd::on(&self.0.bus).await {
            Ok(networkd) => networkd.describe().await,
            Err(error) => Err(error),
        };
        let state = self.0.state.lock().await;
        let counting = state.trying.as_ref().map_or(&state.kept.settings, |trial| &trial.settings);
        let wanted: BTreeSet<String> = counting.interfaces.iter().map(|one| one.link()).collect();
        let mut links = links::links(&self.0.places, description.as_ref().ok());
        // A VLAN that is no longer wanted is held down until the next start.
        links.retain(|link| link.kind != LinkKind::Vlan || link.carrier || wanted.contains(&link.name));
        NetworkNow {
            links,
            settings: state.kept.settings.told(),
            trying: state.trying.as_ref().map(Trial::told),
            last: state.kept.last.clone(),
        }
    }

    /// Has other settings count, until they are confirmed or the time is up: a moment later, so that the answer still goes
    /// the old way.
    ///
    /// # Errors
    /// `NetworkInvalid`, `NetworkChangeWaits`, `NoBus`, `NoService`: nothing was touched. `NetworkFile`: all is as before.
    pub(crate) async fn change(&self, wanted: NetworkSettings) -> Result<Trying, ApplianceError> {
        let shared = &self.0;
        let mut state = shared.state.lock().await;
        if let Some(trial) = &state.trying {
            return Err(ApplianceError::NetworkChangeWaits { id: trial.id });
        }
        let wanted = wanted.with_secrets_of(&state.kept.settings);
        let plan = check::plan(&wanted, &links::settable(&shared.places))?;
        // Whether anybody is there to carry it out is known before it begins.
        Networkd::on(&shared.bus).await?.describe().await?;

        let id = state.kept.changes.saturating_add(1);
        let kept = Kept { trying: Some(id), changes: id, ..state.kept.clone() };
        kept.write(&shared.places)?;
        state.kept = kept;
        let written = match files(&plan, &shared.places).write(&shared.places) {
            Ok(written) => written,
            Err(error) => {
                shared.take_back(&mut state, id, Outcome::Failed).await;
                return Err(error.into());
            }
        };
        state.untold = Some(written.and(state.untold.take()));
        let until = Instant::now() + shared.tuning.apply_after + shared.tuning.confirm_within;
        let trial = Trial { id, settings: wanted, until, reverting: false };
        let told = trial.told();
        state.trying = Some(trial);
        let network = self.clone();
        tokio::spawn(async move {
            sleep(network.0.tuning.apply_after).await;
            network.apply(id).await;
            sleep_until(until).await;
            // Confirmed or taken back meanwhile, it is over.
            let _ = network.end(id, Outcome::NotConfirmed).await;
        });
        Ok(told)
    }

    /// If the change is still tried, and not carried out yet.
    async fn apply(&self, id: u64) {
        let mut state = self.0.state.lock().await;
        if state.trying.as_ref().is_some_and(|trial| trial.id == id)
            && let Err(error) = self.0.carry_out(&mut state, id).await
        {
            eprintln!("change {id} of the network could not be carried out: {error}");
        }
    }

    /// The change stays.
    ///
    /// # Errors
    /// `NetworkChangeOver` when it does not wait any more; `NetworkFile` when the disk refuses: it waits on. Those of carrying
    /// it out, if it has not been: it is taken back.
    pub(crate) async fn confirm(&self, id: u64) -> Result<(), ApplianceError> {
        let mut state = self.0.state.lock().await;
        if state.trying.as_ref().is_some_and(|trial| trial.id == id && !trial.reverting) {
            self.0.carry_out(&mut state, id).await?;
        }
        let Some(trial) = state.trying.as_ref().filter(|trial| trial.id == id && !trial.reverting) else {
            return Err(ApplianceError::NetworkChangeOver { id });
        };
        let last = Some(Ended { id, outcome: Outcome::Confirmed, utc_us: now_us() });
        let kept = Kept { settings: trial.settings.clone(), trying: None, last, changes: state.kept.changes };
        kept.write(&self.0.places)?;
        state.kept = kept;
        state.trying = None;
        Ok(())
    }

    /// Takes the change back, a moment later as well.
    ///
    /// # Errors
    /// `NetworkChangeOver` when it does not wait any more.
    pub(crate) async fn revert(&self, id: u64) -> Result<(), ApplianceError> {
        let mut state = self.0.state.lock().await;
        let Some(trial) = state.trying.as_mut().filter(|trial| trial.id == id && !trial.reverting) else {
            return Err(ApplianceError::NetworkChangeOver { id });
        };
        trial.reverting = true;
        let network = self.clone();
        tokio::spawn(async move {
            sleep(network.0.tuning.apply_after).await;
            // The time may have been up meanwhile.
            let _ = network.end(id, Outcome::Reverted).await;
        });
        Ok(())
    }

    async fn end(&self, id: u64, outcome: Outcome) -> Result<(), ApplianceError> {
        let mut state = self.0.state.lock().await;
        if state.trying.as_ref().is_none_or(|trial| trial.id != id) {
            return Err(ApplianceError::NetworkChangeOver { id });
        }
        self.0.take_back(&mut state, id, outcome).await;
        Ok(())
    }
}

impl Shared {
    /// Tells networkd of what is written. What it refuses is taken back.
    async fn carry_out(&self, state: &mut State, id: u64) -> Result<(), ApplianceError> {
        let Some(untold) = state.untold.take() else { return Ok(()) };
        let told = self.tell(&untold).await;
        if told.is_err() {
            self.take_back(state, id, Outcome::Failed).await;
        }
        told
    }

    /// Whatever of it fails, the rest is done.
    async fn take_back(&self, state: &mut State, id: u64, outcome: Outcome) {
        state.trying = None;
        state.untold = None;
        let written = planned(&state.kept.settings, &self.places).write(&self.places);
        let told = match written {
            Ok(changed) => self.tell(&changed).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = told {
            eprintln!("change {id} of the network could not be taken back as a whole: {error}");
        }
        state.kept.trying = None;
        state.kept.last = Some(Ended { id, outcome, utc_us: now_us() });
        if let Err(error) = state.kept.write(&self.places) {
            eprintln!("{}", ApplianceError::from(error));
        }
        eprintln!("change {id} of the network is taken back: {}", outcome.name());
    }

    async fn tell(&self, changed: &Changed) -> Result<(), ApplianceError> {
        if *changed == Changed::default() {
            return Ok(());
        }
        let networkd = Networkd::on(&self.bus).await?;
        for link in &changed.hang_up {
            // Its options are gone: at the latest it ends with the box.
            if let Err(error) = networkd.hang_up(link).await {
                eprintln!("the connection over {link} could not be ended: {error}");
            }
        }
        if changed.networkd {
            networkd.reload().await?;
        }
        for link in &changed.dial {
            networkd.dial(link).await?;
        }
        Ok(())
    }
}

impl Trial {
    fn told(&self) -> Trying {
        let left = self.until.saturating_duration_since(Instant::now());
        Trying { id: self.id, settings: self.settings.told(), left_s: left.as_secs_f64().ceil() as u64 }
    }
}

/// Of settings that were checked when they were set.
fn planned(settings: &NetworkSettings, places: &Places) -> Files {
    match check::kept_plan(settings) {
        Ok(plan) => files(&plan, places),
        Err(wrong) => {
            eprintln!("{}; the factory settings of the network count", ApplianceError::from(wrong));
            Files::default()
        }
    }
}

fn files(plan: &Plan, places: &Places) -> Files {
    let wanted: BTreeSet<&str> = plan.interfaces.iter().map(|one| one.link.as_str()).collect();
    let mut leftover = links::vlans(places);
    leftover.retain(|vlan| !wanted.contains(vlan.as_str()));
    Files::of(plan, &leftover)
}

/// Microseconds of UTC since 1970, by the box's clock.
fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

impl From<FileError> for ApplianceError {
    fn from(error: FileError) -> Self {
        Self::NetworkFile { step: error.step, path: error.path, source: error.source }
    }
}

impl From<check::Wrong> for ApplianceError {
    fn from(wrong: check::Wrong) -> Self {
        Self::NetworkInvalid { field: wrong.field, fault: wrong.fault }
    }
}
