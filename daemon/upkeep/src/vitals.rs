//! How hard the box works: processor, memory and temperature from `/proc` and `/sys`, and since when each has been too
//! high (ST-11). What the kernel does not tell raises no alarm.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use catalog::{AlarmCode, AlarmKey};

use crate::alarm_states::AlarmStates;
use crate::params;

/// An alarm clears this far below its limit, in percent or °C.
const HYSTERESIS: f64 = 5.0;

/// What was measured in one look; `None`: not to be known here.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Of all processors since the look before, in percent.
    pub cpu_percent: Option<f64>,
    /// Not to be had without taking it from something, in percent.
    pub memory_percent: Option<f64>,
    /// Of the hottest sensor.
    pub temperature_celsius: Option<f64>,
}

/// Reads the kernel's figures.
pub struct Meters {
    root: PathBuf,
    /// Busy and all time of the processors at the last look.
    cpu_time: Option<(u64, u64)>,
}

impl Meters {
    /// `root`: `proc` and `sys` lie below it.
    pub fn new(root: PathBuf) -> Self {
        Self { root, cpu_time: None }
    }

    pub fn read(&mut self) -> Measured {
        let text = |path: &str| fs::read_to_string(self.root.join(path)).ok();
        let cpu_time = text("proc/stat").and_then(|stat| cpu_time(&stat));
        let cpu_percent = self.cpu_time.zip(cpu_time).and_then(|(before, now)| {
            let (busy, all) = (now.0.checked_sub(before.0)?, now.1.checked_sub(before.1)?);
            (all > 0).then(|| 100.0 * busy as f64 / all as f64)
        });
        self.cpu_time = cpu_time;
        Measured {
            cpu_percent,
            memory_percent: text("proc/meminfo").and_then(|meminfo| memory_percent(&meminfo)),
            temperature_celsius: hottest(&self.root.join("sys/class/thermal")),
        }
    }
}

/// Busy and all time since the start, in ticks, from the first line of `/proc/stat`: user, nice, system, idle, iowait,
/// irq, softirq, steal. Waiting for a disk is no work of a processor; a guest's time stands in `user` already.
fn cpu_time(stat: &str) -> Option<(u64, u64)> {
    let fields = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> =
        fields.split_ascii_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let idle = ticks.get(3)? + ticks.get(4).unwrap_or(&0);
    let all: u64 = ticks.iter().sum();
    Some((all - idle, all))
}

fn memory_percent(meminfo: &str) -> Option<f64> {
    let kib = |name: &str| -> Option<f64> {
        meminfo
            .lines()
            .find_map(|line| line.strip_prefix(name)?.split_ascii_whitespace().next()?.parse().ok())
    };
    let (total, available) = (kib("MemTotal:")?, kib("MemAvailable:")?);
    (total > 0.0).then(|| 100.0 * (1.0 - available / total))
}

/// The highest of all zones, which tell thousandths of a degree Celsius.
fn hottest(zones: &Path) -> Option<f64> {
    let degrees = fs::read_dir(zones).ok()?.flatten().filter_map(|zone| {
        let thousandths: f64 = fs::read_to_string(zone.path().join("temp")).ok()?.trim().parse().ok()?;
        Some(thousandths / 1000.0)
    });
    degrees.max_by(f64::total_cmp)
}

/// From where on each figure is too high.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Share of the processors' time, in percent.
    pub cpu_percent: f64,
    /// Share of the memory, in percent.
    pub memory_percent: f64,
    pub temperature_celsius: f64,
    /// How long one of them must last without a break.
    pub high_for: Duration,
}

/// The three alarms: each is raised when its figure has been over its limit for `high_for`, at every look, and cleared
/// when it is well under it.
pub struct Vitals {
    meters: Meters,
    watches: [Watch; 3],
}

struct Watch {
    code: AlarmCode,
    /// The parameter that tells how high it is.
    param: &'static str,
    limit: fn(&Limits) -> f64,
    figure: fn(&Measured) -> Option<f64>,
    over_since: Option<Instant>,
}

impl Vitals {
    pub fn new(root: PathBuf) -> Self {
        let watch = |code, param, limit, figure| Watch { code, param, limit, figure, over_since: None };
        Self {
            meters: Meters::new(root),
            watches: [
                watch(AlarmCode::CpuHigh, "percent", |l| l.cpu_percent, |m| m.cpu_percent),
                watch(AlarmCode::MemoryHigh, "percent", |l| l.memory_percent, |m| m.memory_percent),
                watch(
                    AlarmCode::TemperatureHigh,
                    "celsius",
                    |l| l.temperature_celsius,
                    |m| m.temperature_celsius,
                ),
            ],
        }
    }

    /// Measures now; returns what it found.
    pub fn look(&mut self, limits: &Limits, now: Instant, alarms: &mut AlarmStates) -> Measured {
        let measured = self.meters.read();
        for watch in &mut self.watches {
            let (figure, limit) = ((watch.figure)(&measured), (watch.limit)(limits));
            let over = figure.is_some_and(|figure| figure > limit);
            watch.over_since = if over { watch.over_since.or(Some(now)) } else { None };
            let key = AlarmKey::of_box(watch.code);
            if watch.over_since.is_some_and(|since| now.duration_since(since) >= limits.high_for) {
                let figure = (figure.unwrap_or_default() * 10.0).round() / 10.0;
                alarms.set(key, true, params(serde_json::json!({ watch.param: figure })));
            } else if figure.is_none_or(|figure| figure < limit - HYSTERESIS) {
                alarms.set(key, false, catalog::Params::new());
            }
        }
        measured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  100 0 100 700 100 0 0 0 40 0\ncpu0 100 0 100 700 100 0 0 0 40 0\nintr 5\n";

    #[test]
    fn figures_are_read_as_the_kernel_writes_them() {
        assert_eq!(cpu_time(STAT), Some((200, 1000)));
        assert_eq!(cpu_time("cpu  1 2 3 4\n"), Some((6, 10)), "an old kernel tells four");
        let meminfo = "MemTotal:        2000 kB\nMemFree:  10 kB\nMemAvailable:     500 kB\n";
        assert_eq!(memory_percent(meminfo), Some(75.0));
        for nonsense in
            ["", "cpu", "cpu  a b c d", "cpu  1 2 3", "MemTotal: kB", "MemTotal: 0 kB\nMemAvailable: 0 kB"]
        {
            assert_eq!((cpu_time(nonsense), memory_percent(nonsense)), (None, None), "{nonsense:?}");
        }
    }

    #[test]
    fn the_hottest_zone_counts_and_none_is_no_temperature() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(hottest(&dir.path().join("none")), None);
        for (zone, text) in
            [("thermal_zone0", "41500\n"), ("thermal_zone1", "63000\n"), ("cooling_device0", "")]
        {
            std::fs::create_dir(dir.path().join(zone)).expect("a folder");
            std::fs::write(dir.path().join(zone).join("temp"), text).expect("written");
        }
        assert_eq!(hottest(dir.path()), Some(63.0));
    }

    #[test]
    fn the_figures_of_this_machine_are_read() {
        let mut meters = Meters::new("/".into());
        assert_eq!(meters.read().cpu_percent, None, "nothing to compare with at the first look");
        // Long enough for the kernel to count a tick, of which it has at least 100 a second.
        std::thread::sleep(Duration::from_millis(50));
        let measured = meters.read();
        for percent in [measured.cpu_percent, measured.memory_percent] {
            assert!(percent.is_some_and(|percent| (0.0..=100.0).contains(&percent)), "{measured:?}");
        }
    }
}
