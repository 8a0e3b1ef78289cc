//! One station with a backlog: how fast a platform takes it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use uplink::DeviceKey;

use crate::outbox::{Waiting, now_us};
use crate::station::{Counts, Station, platform_key};
use crate::{FleetError, call, io_at, serial};

#[derive(Debug)]
pub struct UploadOptions {
    pub platform: String,
    pub recordings: u64,
    /// Length of each.
    pub seconds: u32,
    /// Where their files are made.
    pub files: PathBuf,
    /// Makes the files and ends: for whoever sends them another way first.
    pub only_make: bool,
}

#[derive(Debug)]
pub struct Upload {
    pub recordings: u64,
    pub bytes: u64,
    pub seconds: f64,
}

/// Without a word from the platform for this long, it is said that it has stopped.
const STALLED: Duration = Duration::from_secs(60);

/// # Errors
/// A platform that is not there, or stops taking anything.
pub async fn run(options: &UploadOptions) -> Result<Upload, FleetError> {
    std::fs::create_dir_all(&options.files).map_err(io_at(&options.files))?;
    let serial = serial(0);
    let mut audio = call::audio(options.seconds);
    let (mut items, mut bytes) = (Vec::new(), 0);
    for entry in 1..=options.recordings {
        // No two files are the same, so that no disk and no compression can make one of them.
        audio[..8].copy_from_slice(&entry.to_le_bytes());
        let end_us = now_us() - (options.recordings - entry) as i64 * 60_000_000;
        let facts = call::facts(&serial, entry, 1 + (entry % 16) as u16, end_us, options.seconds, &audio);
        let item = call::item(&options.files, entry, facts, &audio)?;
        bytes += item.file.as_ref().map_or(0, |file| file.head.bytes);
        items.push(item);
    }
    if options.only_make {
        return Ok(Upload { recordings: options.recordings, bytes, seconds: 0.0 });
    }
    let waiting = Waiting::backlog(items);
    let station = Station {
        serial,
        address: options.platform.clone(),
        platform: platform_key(&options.platform).await?,
        key: DeviceKey::make()?,
        waiting: waiting.clone(),
        counts: Arc::new(Counts::default()),
    };
    let (_say, said) = mpsc::channel(1);
    let began = Instant::now();
    tokio::spawn(station.run(said));
    let (mut left, mut moved) = (waiting.count(), Instant::now());
    while left > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let now = waiting.count();
        if now < left {
            (left, moved) = (now, Instant::now());
        } else if moved.elapsed() > STALLED {
            return Err(FleetError::Limit(format!("nothing was acknowledged for a minute; {left} are left")));
        }
    }
    Ok(Upload { recordings: options.recordings, bytes, seconds: began.elapsed().as_secs_f64() })
}

impl Upload {
    pub fn mib_per_s(&self) -> f64 {
        self.bytes as f64 / (1 << 20) as f64 / self.seconds
    }
}

impl fmt::Display for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} recordings, {:.0} MiB in {:.2} s: {:.1} MiB/s",
            self.recordings,
            self.bytes as f64 / (1 << 20) as f64,
            self.seconds,
            self.mib_per_s()
        )
    }
}
