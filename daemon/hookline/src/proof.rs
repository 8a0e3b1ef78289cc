//! Tells the box that the release that runs is one to start from (decision 9): once it has worked for a while, and nothing
//! is wrong with it that was not wrong before it came. An unplugged unit or a full disk that the release before had as well
//! does not stand in its way. Until then the starts of its slot are counted, and the third is the last.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use appliance::{Appliance, ApplianceError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Failure;
use crate::role::Signs;

const LOOK: Duration = Duration::from_secs(1);
/// A release that was good before is so again as soon as it works.
const KNOWN_GOOD_AFTER: Duration = Duration::from_secs(3);
/// Between two tries to tell the box, and two looks at what is wrong.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// What the last release that was good left behind, in `DIR/last-good.json`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct LastGood {
    /// SHA-256 of its program.
    program: String,
    /// What was wrong with the box when it was last looked at.
    faults: Vec<String>,
}

/// Where the release is proved, and after how long.
pub struct Trial {
    pub data: PathBuf,
    pub appliance: PathBuf,
    pub good_after: Duration,
}

/// Watches until the release is good, and what is wrong from then on; ends with this.
pub struct Proof {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Proof {
    /// # Errors
    /// The system has no thread left.
    pub fn start(trial: Trial, signs: Arc<Signs>) -> Result<Self, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let work = move || Watch::new(trial, signs).run(&told);
        let thread = std::thread::Builder::new().name("proof".into()).spawn(work).map_err(Failure::failed)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

struct Watch {
    file: PathBuf,
    appliance: Appliance,
    signs: Arc<Signs>,
    program: String,
    /// `None`: this is the box's first release, and what is wrong was always so; or the release that was good already, and
    /// what is wrong did not come with it.
    before: Option<LastGood>,
    good_after: Duration,
}

impl Watch {
    fn new(trial: Trial, signs: Arc<Signs>) -> Self {
        let file = trial.data.join("last-good.json");
        let kept = std::fs::read(&file).ok();
        let kept: Option<LastGood> = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        // A program that cannot be read is never the one of before.
        let program = program().unwrap_or_default();
        let known = !program.is_empty() && kept.as_ref().is_some_and(|kept| kept.program == program);
        let good_after = if known { KNOWN_GOOD_AFTER.min(trial.good_after) } else { trial.good_after };
        let before = kept.filter(|_| !known);
        Self { file, appliance: Appliance::at(trial.appliance), signs, program, before, good_after }
    }

    fn run(mut self, stop: &AtomicBool) {
        if !self.wait_until_good(stop) {
            return;
        }
        while !stop.load(Relaxed) {
            let now = LastGood { program: self.program.clone(), faults: (self.signs.faults)() };
            if self.before.as_ref() != Some(&now) {
                if let Err(error) = write(&self.file, &now) {
                    eprintln!("{error}");
                }
                self.before = Some(now);
            }
            wait(stop, AGAIN_AFTER);
        }
    }

    /// `false`: it is to end, or this box starts from nothing that could be marked.
    fn wait_until_good(&self, stop: &AtomicBool) -> bool {
        let mut since = None;
        while !stop.load(Relaxed) {
            if self.is_as_well_as_before() {
                let since = *since.get_or_insert_with(Instant::now);
                if since.elapsed() >= self.good_after {
                    match self.appliance.mark_good() {
                        Ok(()) => return true,
                        Err(error) if is_no_box(&error) => return false,
                        Err(error) => {
                            eprintln!("{error}");
                            wait(stop, AGAIN_AFTER);
                        }
                    }
                }
            } else {
                since = None;
            }
            wait(stop, LOOK);
        }
        false
    }

    fn is_as_well_as_before(&self) -> bool {
        let is_new =
            |fault: &String| self.before.as_ref().is_some_and(|before| !before.faults.contains(fault));
        (self.signs.moves)() && !(self.signs.faults)().iter().any(is_new)
    }
}

/// A computer of somebody, where nobody does what needs root.
fn is_no_box(error: &ApplianceError) -> bool {
    error.code() == "not_available"
}

fn wait(stop: &AtomicBool, time: Duration) {
    let until = Instant::now() + time;
    while !stop.load(Relaxed) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::park_timeout(left);
    }
}

/// SHA-256 of the program that runs.
fn program() -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut File::open("/proc/self/exe")?, &mut HashWriter(&mut hash))?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(file: &Path, last_good: &LastGood) -> Result<(), String> {
    let failed = |error: String| format!("{}: what was last good cannot be kept: {error}", file.display());
    let text = serde_json::to_vec(last_good).map_err(|error| failed(error.to_string()))?;
    recording::write_atomically(file, &text).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Whether the role moves, and what is wrong with the box.
    type Now = Arc<Mutex<(bool, Vec<String>)>>;

    /// A watch on a box whose signs the test sets; `before`: what the release before left.
    fn watch(before: Option<&[&str]>) -> (Watch, Now) {
        let now = Arc::new(Mutex::new((true, Vec::new())));
        let (moves, faults) = (now.clone(), now.clone());
        let signs = Signs {
            moves: Box::new(move || moves.lock().expect("no panic").0),
            faults: Box::new(move || faults.lock().expect("no panic").1.clone()),
        };
        let before = before.map(|faults| LastGood {
            program: "another".into(),
            faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
        });
        let watch = Watch {
            file: "/nonexistent/last-good.json".into(),
            appliance: Appliance::at("/nonexistent"),
            signs: Arc::new(signs),
            program: "this".into(),
            before,
            good_after: Duration::ZERO,
        };
        (watch, now)
    }

    #[test]
    fn only_a_fault_that_was_not_there_before_stands_in_its_way() {
        let (of_before, now) = watch(Some(&["capturing"]));
        assert!(of_before.is_as_well_as_before());
        now.lock().expect("no panic").1 = vec!["capturing".into()];
        assert!(of_before.is_as_well_as_before(), "the unit was unplugged before the upgrade, too");
        now.lock().expect("no panic").1.push("recording".into());
        assert!(!of_before.is_as_well_as_before());
        *now.lock().expect("no panic") = (false, Vec::new());
        assert!(!of_before.is_as_well_as_before(), "it hangs");
    }

    #[test]
    fn the_first_release_of_a_box_is_judged_by_moving_alone() {
        let (first, now) = watch(None);
        now.lock().expect("no panic").1 = vec!["capturing".into()];
        assert!(first.is_as_well_as_before());
    }

    #[test]
    fn a_release_that_was_good_before_is_not_held_up_by_a_fault_of_today() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = program().expect("this test's own");
        let kept = LastGood { program, faults: Vec::new() };
        write(&folder.path().join("last-good.json"), &kept).expect("written");
        let signs = Signs { moves: Box::new(|| true), faults: Box::new(|| vec!["capturing".to_owned()]) };
        let good_after = Duration::from_secs(60);
        let trial = Trial { data: folder.path().to_owned(), appliance: "/nonexistent".into(), good_after };
        let watch = Watch::new(trial, Arc::new(signs));
        assert!(watch.is_as_well_as_before(), "its unit was unplugged while it was off");
        assert_eq!(watch.good_after, KNOWN_GOOD_AFTER);
    }

    #[test]
    fn where_nobody_does_what_needs_root_there_is_nothing_to_prove() {
        let (watch, _) = watch(None);
        assert!(!watch.wait_until_good(&AtomicBool::new(false)));
    }
}
