//! Asking the appliance process, from a thread that may wait. A connection a request: nothing is kept open, and the process
//! may be started again at any time.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::clock::{ClockNow, ClockSettings};
use crate::error::ApplianceError;
use crate::network::{NetworkNow, NetworkSettings, Trying};
use crate::wire::{Answer, LONGEST_LINE_BYTES, Request};

/// The process says something every few seconds while it works; after this long it hangs.
const SILENT_FOR: Duration = Duration::from_secs(60);

/// The appliance process at a socket. Asking does not need it to be there: the answer says so.
#[derive(Clone, Debug)]
pub struct Appliance {
    socket: PathBuf,
}

/// An upgrade that lies in the other slot and counts from the next start on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// As the bundle says; empty when it says none.
    pub version: String,
}

impl Appliance {
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// Whether an upgrade would be installed now.
    ///
    /// # Errors
    /// `not_available`, `upgrade_running`, or what else `code()` says.
    pub fn can_upgrade(&self) -> Result<(), ApplianceError> {
        self.ask(&Request::CanUpgrade {}, &mut |_| {}).map(drop)
    }

    /// Starts the box again, about two seconds after this has returned.
    ///
    /// # Errors
    /// `not_available`, `restart_refused`, or what else `code()` says.
    pub fn restart(&self) -> Result<(), ApplianceError> {
        self.ask(&Request::Restart {}, &mut |_| {}).map(drop)
    }

    /// Sets the box's clock: microseconds of UTC since 1970, from 2020 to 2100.
    ///
    /// # Errors
    /// `not_available`, `bad_request` outside that range, `clock_failed`.
    pub fn set_time(&self, utc_us: i64) -> Result<(), ApplianceError> {
        self.ask(&Request::SetTime { utc_us }, &mut |_| {}).map(drop)
    }

    /// The system that runs does its work: the next start is its, too. Asked again, it changes nothing.
    ///
    /// # Errors
    /// `not_available`, `mark_refused`.
    pub fn mark_good(&self) -> Result<(), ApplianceError> {
        self.ask(&Request::MarkGood {}, &mut |_| {}).map(drop)
    }

    /// How the clock is kept.
    ///
    /// # Errors
    /// `not_available`, or what else `code()` says.
    pub fn clock(&self) -> Result<ClockNow, ApplianceError> {
        let done = self.ask(&Request::Clock {}, &mut |_| {})?;
        serde_json::from_value(Value::Object(done))
            .map_err(|error| self.no_answer(format!("gave an answer that cannot be read: {error}")))
    }

    /// Has the clock kept otherwise from now on.
    ///
    /// # Errors
    /// `not_available`, `bad_request` for servers that cannot be, `not_kept`.
    pub fn change_clock(&self, settings: &ClockSettings) -> Result<(), ApplianceError> {
        self.ask(&Request::ChangeClock { settings: settings.clone() }, &mut |_| {}).map(drop)
    }

    /// Steps the clock to the time of the server that it follows; by how many microseconds.
    ///
    /// # Errors
    /// `not_available`, `no_time` when no server is believed, `clock_failed`.
    pub fn step_clock(&self) -> Result<i64, ApplianceError> {
        let done = self.ask(&Request::StepClock {}, &mut |_| {})?;
        let by_us = done.get("by_us").and_then(Value::as_i64);
        by_us.ok_or_else(|| self.no_answer("does not say by how much the clock was stepped".to_owned()))
    }

    /// Installs the bundle at that absolute path, and tells `progress` in percent, never falling. It counts from the next
    /// start on. `release` is what people call it. Takes minutes.
    ///
    /// # Errors
    /// `not_available`, `bundle_corrupt`, `not_for_this_box`, `upgrade_running`, `upgrade_failed`; `appliance_failed`
    /// when its end is not known.
    pub fn upgrade(
        &self,
        bundle: &Path,
        release: &str,
        progress: &mut dyn FnMut(u8),
    ) -> Result<Installed, ApplianceError> {
        let request = Request::Upgrade { bundle: bundle.to_owned(), release: release.to_owned() };
        let done = self.ask(&request, progress)?;
        let version = done.get("version").and_then(Value::as_str).unwrap_or_default();
        Ok(Installed { version: version.to_owned() })
    }

    /// The network as it is and as it is set.
    ///
    /// # Errors
    /// `not_available`, or what else `code()` says.
    pub fn network(&self) -> Result<NetworkNow, ApplianceError> {
        self.ask(&Request::Network {}, &mut |_| {}).and_then(|done| self.read(done))
    }

    /// Has these settings count at once, and for good only when they are confirmed in time. An interface that is not named
    /// has what the image gives it.
    ///
    /// # Errors
    /// `not_available`, `network_invalid` (`detail()` says where and what), `network_change_waits`, `network_failed`.
    pub fn change_network(&self, settings: NetworkSettings) -> Result<Trying, ApplianceError> {
        self.ask(&Request::ChangeNetwork { settings }, &mut |_| {}).and_then(|done| self.read(done))
    }

    /// Keeps a change.
    ///
    /// # Errors
    /// `not_available`, `network_change_over`; `network_failed` when the disk refuses: it waits on.
    pub fn confirm_network(&self, id: u64) -> Result<(), ApplianceError> {
        self.ask(&Request::ConfirmNetwork { id }, &mut |_| {}).map(drop)
    }

    /// Takes a change back at once.
    ///
    /// # Errors
    /// `not_available`, `network_change_over`.
    pub fn revert_network(&self, id: u64) -> Result<(), ApplianceError> {
        self.ask(&Request::RevertNetwork { id }, &mut |_| {}).map(drop)
    }

    fn read<T: DeserializeOwned>(&self, done: Map<String, Value>) -> Result<T, ApplianceError> {
        serde_json::from_value(Value::Object(done))
            .map_err(|error| self.no_answer(format!("gave an answer that cannot be read: {error}")))
    }

    fn ask(
        &self,
        request: &Request,
        progress: &mut dyn FnMut(u8),
    ) -> Result<Map<String, Value>, ApplianceError> {
        let line = request.line()?;
        let mut stream = UnixStream::connect(&self.socket)
            .map_err(|source| ApplianceError::NotThere { socket: self.socket.clone(), source })?;
        stream
            .set_read_timeout(Some(SILENT_FOR))
            .and_then(|()| stream.set_write_timeout(Some(SILENT_FOR)))
            .map_err(|error| self.no_answer(error.to_string()))?;
        // Whoever is refused at the door is told so without having been read.
        match stream.write_all(&line) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                return Err(self.no_answer(error.to_string()));
            }
            _ => {}
        }
        let mut answers = BufReader::new(stream);
        loop {
            match self.next_answer(&mut answers)? {
                Answer::Progress(percent) => progress(percent),
                Answer::Done(detail) => return Ok(detail),
                Answer::Failed { code, reason, detail } => {
                    return Err(ApplianceError::Told { code, reason, detail });
                }
            }
        }
    }

    fn next_answer(&self, answers: &mut BufReader<UnixStream>) -> Result<Answer, ApplianceError> {
        let mut line = Vec::new();
        let read = answers.take(LONGEST_LINE_BYTES as u64).read_until(b'\n', &mut line);
        match read {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(self.no_answer(format!("said nothing for {} s", SILENT_FOR.as_secs())))
            }
            Err(error) => Err(self.no_answer(format!("broke off: {error}"))),
            Ok(_) if line.last() != Some(&b'\n') => {
                Err(self.no_answer("ended before it had answered".to_owned()))
            }
            Ok(_) => serde_json::from_slice(&line)
                .map_err(|error| self.no_answer(format!("gave an answer that cannot be read: {error}"))),
        }
    }

    fn no_answer(&self, what: String) -> ApplianceError {
        ApplianceError::NoAnswer { socket: self.socket.clone(), what }
    }
}
