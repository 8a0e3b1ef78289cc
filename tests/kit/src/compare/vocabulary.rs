//! What the scenario page says of each event: its members, and how well its time and members must agree with truth.

/// How one kind of event is judged.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub event: &'static str,
    /// Row of the report.
    pub class: &'static str,
    /// Members that must be there, `null` when unknown.
    pub members: &'static [&'static str],
    /// The member that makes it this thing and not another.
    pub key: Option<&'static str>,
    /// Further apart than this, two events are not the same thing.
    pub window_s: f64,
    /// Worst error of times that passes; none: any within the window.
    pub floor_ms: Option<f64>,
    /// Worst error of times that is aimed at; none: times are not judged at all.
    pub aim_ms: Option<f64>,
}

const HOOK: Kind = Kind {
    event: "",
    class: "hook, ring, line lost",
    members: &[],
    key: None,
    window_s: 0.7,
    floor_ms: Some(20.0),
    aim_ms: Some(10.0),
};
/// What is recorded, and what became of a call, is dated by the edges of tones. No cadence that the kit plays has a
/// turn shorter than 400 ms or a burst shorter than 100 ms, so that 100 ms means: no burst is lost, added, or taken for
/// a part of what follows. Nothing covers these tones; where people talk over them, the table of tones tells.
const TONE: Kind = Kind {
    event: "",
    class: "tones",
    members: &["tone"],
    key: Some("tone"),
    window_s: 15.0,
    floor_ms: Some(100.0),
    aim_ms: Some(20.0),
};
const RECORDING: Kind = Kind {
    event: "",
    class: "recordings",
    members: &[],
    key: None,
    window_s: 3.0,
    floor_ms: Some(40.0),
    aim_ms: Some(20.0),
};
const ALARM: Kind = Kind {
    event: "",
    class: "alarms",
    members: &["code", "severity", "text"],
    key: Some("code"),
    window_s: 10.0,
    floor_ms: None,
    aim_ms: None,
};

/// The stand-in for a `record_stop` without a `record_start`; see `crate::event`.
pub const CALL_WITHOUT_AUDIO: &str = "call_without_audio";

pub const KINDS: [Kind; 18] = [
    Kind { event: "ring_start", ..HOOK },
    Kind { event: "ring_stop", ..HOOK },
    Kind { event: "off_hook", members: &["volts"], ..HOOK },
    Kind { event: "on_hook", members: &["volts"], ..HOOK },
    Kind { event: "polarity_reversed", members: &["volts"], ..HOOK },
    Kind { event: "hook_flash", members: &["ms"], ..HOOK },
    Kind { event: "line_lost", members: &["volts"], ..HOOK },
    Kind { event: "line_restored", members: &["volts"], ..HOOK },
    Kind {
        event: "digit",
        class: "DTMF digits",
        members: &["digit", "duration_ms"],
        key: Some("digit"),
        window_s: 0.3,
        floor_ms: Some(40.0),
        aim_ms: Some(10.0),
    },
    Kind {
        event: "pulse_digit",
        class: "pulse digits",
        members: &["digit"],
        key: Some("digit"),
        window_s: 1.5,
        floor_ms: Some(40.0),
        aim_ms: Some(10.0),
    },
    Kind {
        event: "caller_id",
        class: "caller ID",
        members: &["number", "name", "time", "standard"],
        key: Some("number"),
        window_s: 3.0,
        floor_ms: Some(100.0),
        aim_ms: Some(20.0),
    },
    Kind { event: "tone_start", ..TONE },
    Kind { event: "tone_stop", ..TONE },
    Kind { event: "record_start", members: &["mode", "call_id"], ..RECORDING },
    Kind {
        event: "record_stop",
        members: &[
            "mode",
            "call_id",
            "file",
            "start",
            "seconds",
            "pre_roll_s",
            "call_type",
            "line_number",
            "peer_number",
        ],
        ..RECORDING
    },
    Kind {
        event: CALL_WITHOUT_AUDIO,
        class: "calls without audio",
        members: &["call_type", "peer_number"],
        key: Some("call_type"),
        window_s: 30.0,
        floor_ms: None,
        aim_ms: None,
    },
    Kind { event: "alarm_raised", ..ALARM },
    Kind { event: "alarm_cleared", ..ALARM },
];

/// Voice is judged by the recordings that it starts and stops: where a voice begins is a matter of taste by
/// itself. Gaps are judged by the replay's last line. Calls by signalling are trunks, which the kit does not make.
pub const NOT_JUDGED: [&str; 4] = ["voice_start", "voice_stop", "gap", "call"];

pub fn kind_of(event: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.event == event)
}

/// How a member must agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Agreement {
    Equal,
    /// A number at most this far away.
    Within(f64),
    /// Seconds judged as a time of the event's class.
    Time,
    /// Judged across events.
    Elsewhere,
}

pub fn agreement(member: &str) -> Agreement {
    match member {
        "volts" => Agreement::Within(1.0),
        "ms" => Agreement::Within(20.0),
        "duration_ms" => Agreement::Within(30.0),
        "start" | "seconds" => Agreement::Time,
        "call_id" | "optional" => Agreement::Elsewhere,
        _ => Agreement::Equal,
    }
}
