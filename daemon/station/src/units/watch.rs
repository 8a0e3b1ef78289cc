//! What is known of the box's units while it runs: news of their drivers become what pages show and which alarms stand.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use capture::{UnitClock, UnitFault, UnitIdentity, UnitNews};
use catalog::{AlarmCode, AlarmKey, Params};
use serde::Serialize;
use serde_json::json;
use upkeep::params;

use super::settings::UnitSettings;
use crate::care::Notice;

/// What a unit has found in itself.
const SELF_TEST: &str = "self_test";
/// What passes is shown so long after it was told last.
const DEFECT_SHOWN: Duration = Duration::from_secs(60);

/// A unit as pages show it.
#[derive(Clone, Debug, Serialize)]
pub struct UnitNow {
    #[serde(flatten)]
    pub settings: UnitSettings,
    pub state: UnitState,
    /// Why it gives nothing, or what about it is not right.
    pub fault: Option<UnitFault>,
    /// What it last said of itself.
    pub identity: Option<UnitIdentity>,
    /// How much faster than the box's clock it counts, in parts per million; 0 until it is known.
    pub fast_ppm: f64,
    /// Samples of each line that did not come while it was there, since the start.
    pub lost_samples: u64,
}

/// Whether a unit gives samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitState {
    /// It is being looked for the first time.
    Starting,
    Present,
    Absent,
}

/// A driver's news, and what has become of them.
struct Watched {
    news: Receiver<UnitNews>,
    clock: Arc<UnitClock>,
    settings: UnitSettings,
    state: UnitState,
    /// Why it gives nothing.
    absence: Option<UnitFault>,
    /// What was last not right about it, and when that was told.
    defect: Option<(UnitFault, Instant)>,
    identity: Option<UnitIdentity>,
}

impl Watched {
    fn fault(&self) -> Option<UnitFault> {
        let stands =
            |(fault, told): &&(UnitFault, Instant)| fault.code == SELF_TEST || told.elapsed() < DEFECT_SHOWN;
        self.absence.clone().or_else(|| self.defect.as_ref().filter(stands).map(|(fault, _)| fault.clone()))
    }
}

/// All live units. Pages read it, the dispatch thread keeps it up to date.
#[derive(Clone)]
pub struct UnitWatch {
    units: Arc<Mutex<Vec<Watched>>>,
    notices: Sender<Notice>,
}

impl UnitWatch {
    pub(crate) fn new(notices: Sender<Notice>) -> Self {
        Self { units: Arc::default(), notices }
    }

    pub(crate) fn add(&self, settings: UnitSettings, clock: Arc<UnitClock>, news: Receiver<UnitNews>) {
        let state = UnitState::Starting;
        let watched = Watched { news, clock, settings, state, absence: None, defect: None, identity: None };
        self.lock().push(watched);
    }

    /// Takes in what the drivers have told since.
    pub(crate) fn look(&self) {
        for unit in self.lock().iter_mut() {
            while let Ok(news) = unit.news.try_recv() {
                self.take(unit, news);
            }
        }
    }

    fn take(&self, unit: &mut Watched, news: UnitNews) {
        let name = unit.settings.name.as_str();
        let lost = AlarmKey::of_thing(AlarmCode::UnitLost, name);
        let defect = AlarmKey::of_thing(AlarmCode::UnitDefect, name);
        match news {
            UnitNews::Present(identity) => {
                self.notice(Notice::Clear(lost));
                (unit.state, unit.absence) = (UnitState::Present, None);
                unit.identity = Some(identity);
            }
            UnitNews::Absent(fault) => {
                self.notice(Notice::Raise(lost, fault_params(&fault)));
                self.notice(Notice::Clear(defect));
                (unit.state, unit.absence, unit.defect) = (UnitState::Absent, Some(fault), None);
            }
            UnitNews::Defect(fault) => {
                // What it found in itself does not heal; the rest passes, and may come again.
                let notice = if fault.code == SELF_TEST { Notice::Raise } else { Notice::Lost };
                self.notice(notice(defect, fault_params(&fault)));
                unit.defect = Some((fault, Instant::now()));
            }
            UnitNews::Lost { samples, cause } => {
                let key = AlarmKey::of_thing(AlarmCode::AudioGap, name);
                self.notice(Notice::Lost(key, params(json!({"cause": cause, "samples": samples}))));
            }
        }
    }

    /// Each unit as it is now, in the order of the settings.
    pub fn now(&self) -> Vec<UnitNow> {
        self.lock()
            .iter()
            .map(|unit| UnitNow {
                settings: unit.settings.clone(),
                state: unit.state,
                fault: unit.fault(),
                identity: unit.identity.clone(),
                fast_ppm: unit.clock.fast_ppm(),
                lost_samples: unit.clock.lost_samples(),
            })
            .collect()
    }

    fn notice(&self, notice: Notice) {
        // The care thread ends after the drivers; without it there is nobody to tell.
        let _ = self.notices.send(notice);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Watched>> {
        self.units.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fault_params(fault: &UnitFault) -> Params {
    params(json!({"reason": fault.code, "detail": fault.sentence}))
}
