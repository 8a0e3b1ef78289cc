//! Why a sound card gives nothing, each in one sentence that names it and says what to do.

use crate::UnitFault;

/// What a card failed at, by the number that the system gives.
pub fn failed(device: &str, what: &str, error: alsa::Error) -> UnitFault {
    let errno = error.errno().abs();
    match errno {
        libc::ENOENT | libc::ENODEV | libc::ENXIO => fault(
            "not_found",
            format!("There is no sound card \"{device}\": plug it in, or choose another one for this unit."),
        ),
        libc::EBUSY | libc::EAGAIN => fault(
            "busy",
            format!(
                "The sound card \"{device}\" is used by another program or unit: end that one, or choose another card."
            ),
        ),
        libc::EACCES | libc::EPERM => fault(
            "not_allowed",
            format!(
                "The sound card \"{device}\" may not be used by the recorder: put its user into the group \"audio\"."
            ),
        ),
        _ => fault(
            "stopped",
            format!(
                "The sound card \"{device}\" failed ({what}: {}): unplug it and plug it in again, or restart the box.",
                std::io::Error::from_raw_os_error(errno)
            ),
        ),
    }
}

/// It went away while it was running.
pub fn unplugged(device: &str) -> UnitFault {
    fault(
        "unplugged",
        format!("The sound card \"{device}\" was unplugged: plug it in again; recording goes on by itself."),
    )
}

/// It runs, and gives no samples.
pub fn silent(device: &str, seconds: u64) -> UnitFault {
    fault(
        "stopped",
        format!(
            "The sound card \"{device}\" has given no samples for {seconds} s: unplug it and plug it in again; it is \
             tried again by itself."
        ),
    )
}

/// No device can have this name.
pub fn bad_name(device: &str) -> UnitFault {
    fault(
        "not_found",
        format!(
            "{device:?} is no name of a sound card: write one as found, such as \"hw:CARD=Loopback,DEV=1\"."
        ),
    )
}

pub fn too_few_channels(device: &str, has: u32, wanted: u16) -> UnitFault {
    fault(
        "wrong_unit",
        format!(
            "The sound card \"{device}\" has {has} channels, {wanted} are set: set fewer lines, or choose another card."
        ),
    )
}

pub fn no_encoding(device: &str) -> UnitFault {
    fault(
        "wrong_unit",
        format!(
            "The sound card \"{device}\" gives neither 16 nor 32 bit samples nor A-law: choose another card, or write \
             plug:'{device}' to have them converted."
        ),
    )
}

pub fn no_rate(device: &str) -> UnitFault {
    fault(
        "wrong_unit",
        format!(
            "The sound card \"{device}\" runs at none of 8, 16, 32, 44.1 and 48 kHz: choose another card."
        ),
    )
}

pub fn no_access(device: &str) -> UnitFault {
    fault(
        "wrong_unit",
        format!("The sound card \"{device}\" cannot be read as it is: write plug:'{device}' instead."),
    )
}

/// The filter for its rate did not work.
pub fn no_filter(device: &str, error: &super::rate::RateError) -> UnitFault {
    fault("stopped", format!("The sound card \"{device}\" cannot be used: {error}; choose another card."))
}

fn fault(code: &'static str, sentence: String) -> UnitFault {
    UnitFault { code, sentence }
}
