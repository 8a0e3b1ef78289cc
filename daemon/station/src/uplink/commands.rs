//! What the platform asks for, from its coming to its answer: time limits, progress, and what was asked before.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use catalog::Place;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use upkeep::params;
use uplink::What;
use uplink::command::{UPGRADE, code};
use uplink::message::{Command, Outcome, ToPlatform};
use uplink::order::Lane;
use uplink::station_end::Said;

use super::World;
use super::bundle::{self, Bundle};
use super::listeners::Listeners;
use super::orders::{self, failure};
use super::outbox_handle::OutboxHandle;
use super::{last_upgrade, upgrade};
use crate::listen::Listener;

/// Progress is told at most so often.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// Ended commands that are answered again when they are asked again.
const REMEMBERED: usize = 256;
/// Commands at once; more are a mistake of the platform.
const MOST_RUNNING: usize = 1000;

/// Commands outlive their connection; live audio does not.
pub(super) struct Commands {
    world: Arc<World>,
    running: BTreeMap<u64, Running>,
    ended: VecDeque<(Command, Outcome)>,
    listeners: Listeners,
    results_in: mpsc::UnboundedSender<(u64, JobEnd)>,
    results: mpsc::UnboundedReceiver<(u64, JobEnd)>,
}

struct Running {
    command: Command,
    name: String,
    until: Instant,
    stage: Stage,
    /// Progress as it was told last.
    told: Option<((u64, u64), Instant)>,
}

/// How far a command has come.
enum Stage {
    /// It is being done, and what it changes will have been changed: it ends by that, whatever is said meanwhile. Only
    /// what has nothing done yet by then, and is `given_up`, ends by the code of that.
    Working { given_up: Option<&'static str> },
    /// The bundle that it is about is coming.
    Fetching(Box<Bundle>),
    /// The bundle is being installed. Given up, it is as far as nothing has begun, and the box does not restart by itself.
    Installing { gave_up: Arc<AtomicBool> },
    /// What it wants is being sent.
    Sending,
    /// It waits for the disk only.
    WritingDown,
}

/// What came of work that waits for the disk or for the station.
pub(super) enum JobEnd {
    /// These entries are to be sent.
    Entries(Lane, Vec<(u64, Place)>),
    /// This bundle is to be fetched, as far as it is not here.
    Comes(Box<Bundle>),
    /// The bundle is being installed: so many percent.
    Installing(u8),
    /// Somebody listens now; the answer follows.
    Listens(u64, Listener),
    Ended(Outcome),
    /// It ended before, and stands in the audit trail now.
    WrittenDown(Outcome),
}

impl Commands {
    pub(super) fn new(world: Arc<World>) -> Self {
        let (results_in, results) = mpsc::unbounded_channel();
        bundle::forget_old(world.data.path());
        let (running, ended) = (BTreeMap::new(), last_upgrade::recall(&world).into_iter().collect());
        Self { world, running, ended, listeners: Listeners::default(), results_in, results }
    }

    /// Begins a command; one that came before is answered again, or goes on.
    pub(super) fn begin(&mut self, command: Command, outbox: &OutboxHandle) -> Option<Said> {
        let id = command.command;
        if let Some(running) = self.running.get_mut(&id)
            && running.command.what == command.what
        {
            running.told = None;
            return self.want(id);
        }
        if let Some((_, outcome)) =
            self.ended.iter().find(|(ended, _)| (ended.command, &ended.what) == (id, &command.what))
        {
            return Some(answer(id, outcome.clone()));
        }
        outbox.lock().forget_again(id);
        let what = What::read(&command.what);
        let name = match &what {
            Ok(what) => what.name().to_owned(),
            Err(_) => command.what.get("what").and_then(Value::as_str).unwrap_or_default().to_owned(),
        };
        let until = Instant::now() + Duration::from_secs(command.within_s.into());
        let full = self.running.len() >= MOST_RUNNING;
        let upgrading = matches!(what, Ok(What::Upgrade { .. })) && !full && !self.makes_way(outbox);
        let stage = Stage::Working { given_up: None };
        self.running.insert(id, Running { command, name, until, stage, told: None });
        match what {
            Err(wrong) => self.end(id, wrong.outcome()),
            Ok(_) if full => self.end(id, failure(code::NOT_AVAILABLE, "too many commands at once")),
            Ok(_) if upgrading => {
                self.end(id, failure(code::UPGRADE_RUNNING, "another upgrade is being installed"));
            }
            Ok(What::StopListening { listener }) => {
                self.listeners.remove(listener);
                self.end(id, done());
            }
            Ok(what) => {
                if let What::Listen { listener, .. } = what {
                    self.listeners.expect(listener);
                }
                let (world, results) = (self.world.clone(), self.results_in.clone());
                spawn_blocking(move || {
                    // Its reader lives as long as the uplink thread.
                    let _ = results.send((id, orders::work_on(&world, what)));
                });
            }
        }
        None
    }

    /// Of two upgrades the later one counts, as long as neither is being installed. `false`: one is.
    fn makes_way(&mut self, outbox: &OutboxHandle) -> bool {
        let upgrades = self.running.iter().filter(|(_, running)| running.name == UPGRADE);
        let upgrades: Vec<(u64, bool)> =
            upgrades.map(|(id, running)| (*id, matches!(running.stage, Stage::Installing { .. }))).collect();
        if upgrades.iter().any(|(_, installing)| *installing) {
            return false;
        }
        upgrades.into_iter().for_each(|(id, _)| self.give_up(id, code::CANCELLED, outbox));
        true
    }

    /// Asks for the next piece of the bundle that a command is about.
    fn want(&mut self, id: u64) -> Option<Said> {
        let Stage::Fetching(bundle) = &mut self.running.get_mut(&id)?.stage else { return None };
        let (from, most_bytes) = bundle.ask(Instant::now());
        Some(Said::Message(ToPlatform::Want { command: id, from, most_bytes }))
    }

    /// A piece of a bundle has come.
    pub(super) fn piece(&mut self, id: u64, offset: u64, bytes: &[u8]) -> Option<Said> {
        let Stage::Fetching(bundle) = &mut self.running.get_mut(&id)?.stage else { return None };
        match bundle.take(offset, bytes, Instant::now()) {
            Ok(true) => self.install_or_want(id),
            // Asked for on a connection before this one.
            Ok(false) => None,
            Err(error) => {
                if let Some(Stage::Fetching(bundle)) = self.put_stage(id, Stage::Working { given_up: None }) {
                    // Recordings need the room more.
                    let _ = bundle.remove();
                }
                self.end(id, upgrade::not_taken(&error));
                None
            }
        }
    }

    /// Puts another stage in the place of one.
    fn put_stage(&mut self, id: u64, next: Stage) -> Option<Stage> {
        Some(std::mem::replace(&mut self.running.get_mut(&id)?.stage, next))
    }

    fn install_or_want(&mut self, id: u64) -> Option<Said> {
        let running = self.running.get(&id)?;
        if !matches!(&running.stage, Stage::Fetching(bundle) if bundle.is_whole()) {
            return self.want(id);
        }
        let (world, command, results) =
            (self.world.clone(), running.command.clone(), self.results_in.clone());
        let gave_up = Arc::new(AtomicBool::new(false));
        let installing = Stage::Installing { gave_up: gave_up.clone() };
        if let Some(Stage::Fetching(bundle)) = self.put_stage(id, installing) {
            spawn_blocking(move || {
                let mut tell = |percent| drop(results.send((id, JobEnd::Installing(percent))));
                let outcome = upgrade::install(&world, &command, *bundle, &gave_up, &mut tell);
                let _ = results.send((id, JobEnd::Ended(outcome)));
            });
        }
        None
    }

    /// Gives a command up.
    pub(super) fn cancel(&mut self, id: u64, outbox: &OutboxHandle) {
        self.give_up(id, code::CANCELLED, outbox);
    }

    fn give_up(&mut self, id: u64, why: &'static str, outbox: &OutboxHandle) {
        match self.running.get_mut(&id).map(|running| &mut running.stage) {
            Some(Stage::Working { given_up }) => *given_up = given_up.or(Some(why)),
            Some(Stage::Sending) => {
                outbox.lock().forget_again(id);
                self.end(id, as_given_up(why));
            }
            // What has come stays on the disk, for the next command that is about the same bundle.
            Some(Stage::Fetching(_)) => self.end(id, as_given_up(why)),
            Some(Stage::Installing { gave_up }) => gave_up.store(true, Relaxed),
            Some(Stage::WritingDown) | None => {}
        }
    }

    /// Waits for work that has ended; `Some` has to be said.
    pub(super) async fn next_result(&mut self, outbox: &OutboxHandle) -> Option<Said> {
        // `results_in` is kept here: the channel never closes.
        let (id, end) = self.results.recv().await?;
        let given_up = match self.running.get(&id)?.stage {
            Stage::Working { given_up } => given_up,
            Stage::Fetching(_) | Stage::Installing { .. } | Stage::Sending | Stage::WritingDown => None,
        };
        match (end, given_up) {
            (JobEnd::WrittenDown(outcome), _) => return self.settle(id, outcome),
            (JobEnd::Ended(outcome), _) => self.end(id, outcome),
            (JobEnd::Entries(..), Some(why)) => self.end(id, as_given_up(why)),
            (JobEnd::Entries(lane, entries), None) => {
                let progress = (0, entries.len() as u64);
                outbox.lock().send_again(id, lane, entries);
                return self.running.get_mut(&id).map(|running| {
                    running.stage = Stage::Sending;
                    running.told = Some((progress, Instant::now()));
                    answer(id, Outcome::Progress { done: progress.0, total: progress.1 })
                });
            }
            (JobEnd::Comes(_), Some(why)) => self.end(id, as_given_up(why)),
            (JobEnd::Comes(bundle), None) => {
                self.running.get_mut(&id)?.stage = Stage::Fetching(bundle);
                return self.install_or_want(id);
            }
            (JobEnd::Installing(percent), _) => {
                return Some(answer(id, Outcome::Progress { done: percent.into(), total: 100 }));
            }
            (JobEnd::Listens(listener, _), Some(why)) => {
                self.listeners.remove(listener);
                self.end(id, as_given_up(why));
            }
            (JobEnd::Listens(listener, port), None) => {
                let listens = self.listeners.add(listener, port);
                self.end(id, if listens { done() } else { as_given_up(code::CANCELLED) });
            }
        }
        None
    }

    /// Looks at what lasts: progress, and time limits.
    pub(super) fn look(&mut self, outbox: &OutboxHandle) -> Vec<Said> {
        let now = Instant::now();
        let (mut said, mut ended, mut late) = (Vec::new(), Vec::new(), Vec::new());
        for (id, running) in &mut self.running {
            let progress = match &running.stage {
                Stage::Fetching(bundle) => Some((false, bundle.progress(), (0, 0))),
                _ => outbox.lock().again(*id).map(|again| {
                    (again.is_done(), (again.done, again.total), (again.unreadable, again.refused))
                }),
            };
            match progress {
                Some((true, (_, total), (unreadable, refused))) => {
                    let detail =
                        params(json!({"total": total, "unreadable": unreadable, "refused": refused}));
                    ended.push((*id, Outcome::Done { detail }));
                }
                _ if now >= running.until => late.push(*id),
                Some((false, progress, _)) => {
                    let due = running
                        .told
                        .is_none_or(|(told, at)| told != progress && now.duration_since(at) >= TELL_EVERY);
                    if due {
                        running.told = Some((progress, now));
                        let (done, total) = progress;
                        said.push(answer(*id, Outcome::Progress { done, total }));
                    }
                }
                None => {}
            }
        }
        for (id, outcome) in ended {
            outbox.lock().forget_again(id);
            self.end(id, outcome);
        }
        late.into_iter().for_each(|id| self.give_up(id, code::TOO_LATE, outbox));
        said
    }

    /// Passes on what is heard; to be called every 20 ms while `anybody_listens`.
    pub(super) fn pass_audio_on(&mut self, said: &mpsc::Sender<Said>) {
        self.listeners.pass_on(said);
    }

    pub(super) fn anybody_listens(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// The connection has gone, and with it who listened.
    pub(super) fn connection_ended(&mut self) {
        self.listeners.clear();
    }

    /// Writes down how it ended, then answers: an action that cannot be written down counts as failed.
    fn end(&mut self, id: u64, outcome: Outcome) {
        let Some(running) = self.running.get_mut(&id) else { return };
        running.stage = Stage::WritingDown;
        let (world, results) = (self.world.clone(), self.results_in.clone());
        let (name, what) = (running.name.clone(), running.command.what.clone());
        spawn_blocking(move || {
            let outcome = orders::write_down(&world, id, &name, &what, outcome);
            let _ = results.send((id, JobEnd::WrittenDown(outcome)));
        });
    }

    fn settle(&mut self, id: u64, outcome: Outcome) -> Option<Said> {
        let running = self.running.remove(&id)?;
        if running.name == UPGRADE {
            last_upgrade::is_written_down(&self.world, id);
        }
        self.ended.push_back((running.command, outcome.clone()));
        if self.ended.len() > REMEMBERED {
            self.ended.pop_front();
        }
        Some(answer(id, outcome))
    }
}

fn done() -> Outcome {
    Outcome::Done { detail: Default::default() }
}

fn as_given_up(why: &str) -> Outcome {
    let reason =
        if why == code::TOO_LATE { "the time given for it has passed" } else { "the platform gave it up" };
    failure(why, reason)
}

fn answer(command: u64, outcome: Outcome) -> Said {
    Said::Message(ToPlatform::Answer { command, outcome })
}
