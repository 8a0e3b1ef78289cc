//! Many stations at once, each with a heartbeat and a call a minute, and what is measured meanwhile.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, params};
use tokio::sync::mpsc;
use uplink::DeviceKey;
use uplink::message::{InProgress, PortNow, ToPlatform};
use uplink::station_end::Said;

use crate::outbox::{Waiting, now_us};
use crate::station::{Counts, Station, idle, platform_key};
use crate::{FleetError, call, io_at, serial};

/// Length of a made call.
const CALL_S: u32 = 10;
/// One call of each station begins in every such time.
const EVERY: Duration = Duration::from_secs(60);
/// How often the platform is asked whether a call can be played.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// From the end of a call to its being playable, at the 99th percentile.
const MOST_PLAYABLE_MS: f64 = 2000.0;
const MOST_MEMORY_MIB: f64 = 1024.0;

#[derive(Debug)]
pub struct LoadOptions {
    pub platform: String,
    pub stations: usize,
    pub seconds: u64,
    /// Where files of calls lie until they are acknowledged.
    pub files: PathBuf,
    /// The platform's data folder: tells when a call can be played there.
    pub data: Option<PathBuf>,
    /// The platform's process: its memory and time are told.
    pub pid: Option<u32>,
}

#[derive(Debug)]
pub struct Load {
    pub stations: usize,
    pub seconds: f64,
    /// Fewest that were connected at once, after all had been.
    pub fewest_connected: usize,
    pub dropped: u64,
    pub refused: u64,
    pub calls: usize,
    /// Calls that were not acknowledged a few seconds after the last one.
    pub left: usize,
    /// End of a call to its acknowledgement.
    pub acknowledged_ms: Quantiles,
    /// End of a call to its being found and its file lying in place; of one station's calls.
    pub playable_ms: Option<Quantiles>,
    pub platform_memory_mib: Option<f64>,
    pub platform_cpu_percent: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantiles {
    pub count: usize,
    pub p50: f64,
    pub p99: f64,
    pub most: f64,
}

impl Quantiles {
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (values.len() as f64 * share).ceil() as usize;
            values.get(place.saturating_sub(1)).copied().unwrap_or(0.0)
        };
        Self { count: values.len(), p50: at(0.5), p99: at(0.99), most: at(1.0) }
    }
}

/// # Errors
/// A platform that is not there, or lets nobody in within a minute.
pub async fn run(options: &LoadOptions) -> Result<Load, FleetError> {
    std::fs::create_dir_all(&options.files).map_err(io_at(&options.files))?;
    let platform = platform_key(&options.platform).await?;
    let counts = Arc::new(Counts::default());
    let audio: Arc<[u8]> = call::audio(CALL_S).into();
    let mut sayers = Vec::new();
    let mut waiting = Vec::new();
    for number in 0..options.stations {
        let station = Station {
            serial: serial(number),
            address: options.platform.clone(),
            platform,
            key: DeviceKey::make()?,
            waiting: Waiting::default(),
            counts: counts.clone(),
        };
        let (say, said) = mpsc::channel(64);
        sayers.push(say);
        waiting.push(station.waiting.clone());
        tokio::spawn(station.run(said));
    }
    let all_in = Instant::now() + Duration::from_secs(60);
    while counts.connected.load(Relaxed) < options.stations {
        if Instant::now() > all_in {
            return Err(FleetError::Limit(format!(
                "{} of {} stations were let in within a minute; {} were refused",
                counts.connected.load(Relaxed),
                options.stations,
                counts.refused.load(Relaxed)
            )));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let before = options.pid.map(cpu_ticks).transpose()?;
    let began = Instant::now();
    let end = began + Duration::from_secs(options.seconds);
    let calling: Vec<_> = (0..options.stations)
        .map(|number| {
            let caller = Caller {
                serial: serial(number),
                say: sayers[number].clone(),
                waiting: waiting[number].clone(),
                files: options.files.clone(),
                audio: audio.clone(),
                data: options.data.clone().filter(|_| number == 0),
            };
            tokio::spawn(caller.run(end))
        })
        .collect();
    let mut fewest_connected = options.stations;
    while Instant::now() < end {
        fewest_connected = fewest_connected.min(counts.connected.load(Relaxed));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    let after = options.pid.map(cpu_ticks).transpose()?;
    let (mut calls, mut playable) = (0, Vec::new());
    for caller in calling {
        let made = caller.await.map_err(|error| FleetError::Limit(error.to_string()))??;
        calls += made.calls;
        playable.extend(made.playable_ms);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let latencies = waiting.iter().flat_map(Waiting::take_latencies_ms).collect();
    let ticks_a_second = 100.0;
    Ok(Load {
        stations: options.stations,
        seconds,
        fewest_connected,
        dropped: counts.dropped.load(Relaxed),
        refused: counts.refused.load(Relaxed),
        calls,
        left: waiting.iter().map(Waiting::count).sum(),
        acknowledged_ms: Quantiles::of(latencies),
        playable_ms: options.data.as_ref().map(|_| Quantiles::of(playable)),
        platform_memory_mib: options.pid.map(memory_mib).transpose()?,
        platform_cpu_percent: before
            .zip(after)
            .map(|(before, after)| (after - before) as f64 / ticks_a_second / seconds * 100.0),
    })
}

/// Makes the calls of one station.
struct Caller {
    serial: String,
    say: mpsc::Sender<Said>,
    waiting: Waiting,
    files: PathBuf,
    audio: Arc<[u8]>,
    /// Looks there for each of its calls, and calls every two seconds instead.
    data: Option<PathBuf>,
}

#[derive(Default)]
struct Made {
    calls: usize,
    playable_ms: Vec<f64>,
}

impl Caller {
    async fn run(self, end: Instant) -> Result<Made, FleetError> {
        let mut made = Made::default();
        let (every, length) = match self.data {
            Some(_) => (Duration::from_secs(2), Duration::from_millis(100)),
            None => (EVERY, Duration::from_secs(CALL_S.into())),
        };
        let mut next = Instant::now() + every.mul_f64(fastrand::f64());
        // Numbers of an earlier run on the same data folder are passed by.
        let first = now_us().unsigned_abs() / 1_000_000 * 1000;
        for sequence in first.. {
            if next + length > end {
                break;
            }
            tokio::time::sleep_until(next.into()).await;
            next += every;
            self.port(sequence, true).await;
            tokio::time::sleep(length).await;
            let facts = call::facts(&self.serial, sequence, 1, now_us(), CALL_S, &self.audio);
            let (files, audio) = (self.files.clone(), self.audio.clone());
            let item = tokio::task::spawn_blocking(move || call::item(&files, sequence, facts, &audio)).await;
            let item = item.map_err(|error| FleetError::Limit(error.to_string()))??;
            let ended = Instant::now();
            self.waiting.put(item);
            let _ = self.say.send(Said::News).await;
            self.port(sequence, false).await;
            made.calls += 1;
            if let Some(data) = self.data.clone() {
                let serial = self.serial.clone();
                let found =
                    tokio::task::spawn_blocking(move || until_playable(&data, &serial, sequence, ended));
                made.playable_ms.push(found.await.map_err(|error| FleetError::Limit(error.to_string()))??);
            }
        }
        Ok(made)
    }

    async fn port(&self, sequence: u64, recording: bool) {
        let mut port: PortNow = idle(1);
        if recording {
            port.state = "off_hook".into();
            port.recording = Some(InProgress {
                call_id: format!("{}-{sequence}", self.serial),
                start_us: now_us(),
                call_type: "incoming_answered".into(),
                peer_number: None,
            });
        }
        // A station that is being stopped says nothing more.
        let _ = self.say.send(Said::Message(ToPlatform::Port(port))).await;
    }
}

/// Milliseconds since `ended` when the record is in the platform's catalog and its file lies in place. Gives up after
/// half a minute, and says that.
fn until_playable(data: &Path, serial: &str, sequence: u64, ended: Instant) -> Result<f64, FleetError> {
    let path = data.join("catalog.sqlite");
    let unreadable = |error: rusqlite::Error| FleetError::Limit(format!("{}: {error}", path.display()));
    let sql = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(unreadable)?;
    let mut find = sql
        .prepare(
            "SELECT r.file FROM record r JOIN station s ON s.id = r.station WHERE s.serial = ?1 AND r.sequence = ?2",
        )
        .map_err(unreadable)?;
    while ended.elapsed() < Duration::from_secs(30) {
        let file: Option<Option<String>> =
            match find.query_row(params![serial, sequence as i64], |row| row.get(0)) {
                Ok(file) => Some(file),
                Err(rusqlite::Error::QueryReturnedNoRows) => None,
                Err(error) => return Err(unreadable(error)),
            };
        if let Some(Some(file)) = file
            && data.join(file).exists()
        {
            return Ok(ended.elapsed().as_secs_f64() * 1000.0);
        }
        std::thread::sleep(ASK_EVERY);
    }
    Err(FleetError::Limit(format!("{serial}:{sequence} could not be played half a minute after its end")))
}

fn process_file(pid: u32, name: &str) -> Result<String, FleetError> {
    let path = PathBuf::from(format!("/proc/{pid}/{name}"));
    std::fs::read_to_string(&path).map_err(io_at(path))
}

/// User and system time of a process, in hundredths of a second.
fn cpu_ticks(pid: u32) -> Result<u64, FleetError> {
    let stat = process_file(pid, "stat")?;
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let times: Vec<u64> =
        behind_name.split_whitespace().skip(11).take(2).filter_map(|text| text.parse().ok()).collect();
    Ok(times.iter().sum())
}

/// The most memory a process has had.
fn memory_mib(pid: u32) -> Result<f64, FleetError> {
    let status = process_file(pid, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib: f64 = line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
    Ok(kib / 1024.0)
}

impl Load {
    /// Nobody was dropped, nothing is left, and time and memory are within their limits.
    pub fn passes(&self) -> bool {
        let nobody_dropped = self.dropped == 0 && self.fewest_connected == self.stations;
        let in_time = self.playable_ms.is_none_or(|playable| playable.p99 <= MOST_PLAYABLE_MS);
        let in_memory = self.platform_memory_mib.is_none_or(|mib| mib < MOST_MEMORY_MIB);
        nobody_dropped && self.left == 0 && in_time && in_memory
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} stations, {:.0} s | |\n|---|---|", self.stations, self.seconds)?;
        writeln!(f, "| fewest connected | {} |", self.fewest_connected)?;
        writeln!(f, "| connections dropped, refused | {}, {} |", self.dropped, self.refused)?;
        writeln!(f, "| calls, of them not acknowledged | {}, {} |", self.calls, self.left)?;
        let quantiles =
            |q: &Quantiles| format!("{:.0} / {:.0} / {:.0} ms ({} calls)", q.p50, q.p99, q.most, q.count);
        writeln!(
            f,
            "| end of a call → acknowledged: p50 / p99 / most | {} |",
            quantiles(&self.acknowledged_ms)
        )?;
        if let Some(playable) = &self.playable_ms {
            writeln!(f, "| end of a call → playable: p50 / p99 / most | {} |", quantiles(playable))?;
        }
        if let Some(mib) = self.platform_memory_mib {
            writeln!(f, "| memory of the platform, highest | {mib:.0} MiB |")?;
        }
        if let Some(percent) = self.platform_cpu_percent {
            writeln!(f, "| share of one core, platform | {percent:.0} % |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let hundred = Quantiles::of((1..=100).rev().map(f64::from).collect());
        assert_eq!((hundred.p50, hundred.p99, hundred.most), (50.0, 99.0, 100.0));
        assert_eq!(Quantiles::of(vec![7.0]), Quantiles { count: 1, p50: 7.0, p99: 7.0, most: 7.0 });
        assert_eq!(Quantiles::of(Vec::new()), Quantiles::default());
    }
}
