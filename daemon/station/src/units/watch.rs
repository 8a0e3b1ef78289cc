//! What is known of the box's units while it runs: news of their drivers become what pages show and which alarms stand.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use capture::{UnitClock, UnitFault, UnitIdentity, UnitNews};
use catalog::{AlarmCode, AlarmKey};
use serde::Serialize;
use serde_json::json;
use upkeep::params;

use super::settings::UnitSettings;
use crate::care::Notice;

/// A unit as pages show it.
#[derive(Clone, Debug, Serialize)]
pub struct UnitNow {
    #[serde(flatten)]
    pub settings: UnitSettings,
    pub presence: Presence,
    /// What it last said of itself.
    pub identity: Option<UnitIdentity>,
    /// How much faster than the box's clock it counts, in parts per million; 0 until it is known.
    pub fast_ppm: f64,
    /// Samples of each line that did not come while it was there, since the start.
    pub lost_samples: u64,
}

/// Whether a unit gives samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Presence {
    /// It is being looked for the first time.
    Starting,
    Present,
    /// `sentence`: for people, in English; `code` says the same for pages.
    Absent {
        code: &'static str,
        sentence: String,
    },
}

/// A driver's news, and what has become of them.
struct Watched {
    news: Receiver<UnitNews>,
    clock: Arc<UnitClock>,
    settings: UnitSettings,
    presence: Presence,
    identity: Option<UnitIdentity>,
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
        let watched = Watched { news, clock, settings, presence: Presence::Starting, identity: None };
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
        match news {
            UnitNews::Present(identity) => {
                self.notice(Notice::Clear(AlarmKey::of_thing(AlarmCode::UnitLost, name)));
                unit.presence = Presence::Present;
                unit.identity = Some(identity);
            }
            UnitNews::Absent(UnitFault { code, sentence }) => {
                let key = AlarmKey::of_thing(AlarmCode::UnitLost, name);
                self.notice(Notice::Raise(key, params(json!({"reason": code, "detail": sentence}))));
                unit.presence = Presence::Absent { code, sentence };
            }
            UnitNews::Defect(UnitFault { code, sentence }) => {
                let key = AlarmKey::of_thing(AlarmCode::UnitFaulty, name);
                self.notice(Notice::Lost(key, params(json!({"reason": code, "detail": sentence}))));
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
                presence: unit.presence.clone(),
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
