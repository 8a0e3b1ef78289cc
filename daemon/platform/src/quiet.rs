//! What a station's connection may cost now: its rate, and whether its backlog waits (quiet hours), by the platform's
//! time of day.

use catalog::Device;
use uplink::message::Limits;

/// Minutes of a day.
pub(crate) const DAY: u16 = 1440;

pub(crate) fn limits(device: &Device, minute: u16) -> Limits {
    Limits {
        audio_bytes_per_s: device.audio_bytes_per_s,
        backlog_held: device.quiet_hours.is_some_and(|(from, to)| is_within(minute, from, to)),
    }
}

/// From `from` on and before `to`, perhaps over midnight; the whole day when both are the same.
fn is_within(minute: u16, from: u16, to: u16) -> bool {
    match from.cmp(&to) {
        std::cmp::Ordering::Less => (from..to).contains(&minute),
        std::cmp::Ordering::Equal => true,
        std::cmp::Ordering::Greater => minute >= from || minute < to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_may_go_over_midnight() {
        let held = |quiet, minute| {
            let device = Device { quiet_hours: quiet, ..Device::new("HKLN-01121571897162") };
            limits(&device, minute).backlog_held
        };
        let (day, night) = (Some((480, 1080)), Some((1320, 360)));
        assert_eq!([479, 480, 1079, 1080].map(|m| held(day, m)), [false, true, true, false]);
        assert_eq!([1319, 1320, 0, 359, 360].map(|m| held(night, m)), [false, true, true, true, false]);
        assert!(!held(None, 0) && held(Some((5, 5)), 700));
    }
}
