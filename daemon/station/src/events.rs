//! Line events as the lines of `events.jsonl`, a fixed interface: names, members and their order.

use line::{LineEvent, LineEventKind};
use serde_json::{Map, Value, json};
use signal::{RATE_HZ, SampleIndex};

/// What a line event does not know itself.
#[derive(Debug, Default)]
pub struct Kept {
    /// Path of the recording's file, relative to the data folder.
    pub file: Option<String>,
}

/// The event as one JSON object; `None` for what has no place in the format.
pub fn to_json(
    port: u16,
    event: &LineEvent,
    call_id: impl Fn(line::CallKey) -> String,
    kept: &Kept,
) -> Option<Value> {
    use LineEventKind as Kind;
    let (name, members) = match &event.kind {
        Kind::RingStart => ("ring_start", json!({})),
        Kind::RingStop => ("ring_stop", json!({})),
        Kind::OffHook { volts } => ("off_hook", json!({"volts": decimal(*volts)})),
        Kind::OnHook { volts } => ("on_hook", json!({"volts": decimal(*volts)})),
        Kind::PolarityReversed { volts } => ("polarity_reversed", json!({"volts": decimal(*volts)})),
        Kind::HookFlash { ms } => ("hook_flash", json!({"ms": ms})),
        Kind::LineLost { volts } => ("line_lost", json!({"volts": decimal(*volts)})),
        Kind::LineRestored { volts } => ("line_restored", json!({"volts": decimal(*volts)})),
        Kind::Digit { digit, samples } => {
            ("digit", json!({"digit": digit.as_char().to_string(), "duration_ms": milliseconds(*samples)}))
        }
        Kind::PulseDigit { digit } => ("pulse_digit", json!({"digit": digit.as_char().to_string()})),
        Kind::CallerId(id) => (
            "caller_id",
            json!({"number": id.number.as_deref(), "name": id.name.as_deref(), "time": id.time.as_deref(), "standard": id.standard}),
        ),
        Kind::ToneStart(tone) => ("tone_start", json!({"tone": tone})),
        Kind::ToneStop(tone) => ("tone_stop", json!({"tone": tone})),
        Kind::VoiceStart => ("voice_start", json!({})),
        Kind::VoiceStop => ("voice_stop", json!({})),
        Kind::RecordStart { call, mode, .. } => {
            ("record_start", json!({"mode": mode, "call_id": call_id(*call)}))
        }
        Kind::RecordStop(stop) => (
            "record_stop",
            json!({
                "mode": stop.stop_mode,
                "call_id": call_id(stop.call),
                "file": kept.file,
                "start": seconds(stop.start.0),
                "seconds": seconds(event.at.since(stop.start)),
                "pre_roll_s": seconds(u64::from(stop.pre_roll_samples)),
                "call_type": stop.call_type,
                "line_number": stop.line_number.as_deref(),
                "peer_number": stop.peer_number.as_deref(),
            }),
        ),
        Kind::AlarmRaised { code } => ("alarm_raised", alarm(port, *code)),
        Kind::AlarmCleared { code } => ("alarm_cleared", alarm(port, *code)),
        Kind::RecordWithheld { .. } | Kind::CallWithoutAudio(_) => return None,
    };
    let mut object = Map::new();
    object.insert("t".into(), json!(seconds(event.at.0)));
    object.insert("port".into(), json!(port));
    object.insert("event".into(), json!(name));
    if let Value::Object(members) = members {
        object.extend(members);
    }
    Some(Value::Object(object))
}

fn seconds(samples: u64) -> f64 {
    SampleIndex(samples).seconds()
}

fn milliseconds(samples: u32) -> u64 {
    (u64::from(samples) * 1000 + u64::from(RATE_HZ) / 2) / u64::from(RATE_HZ)
}

/// A voltage without the noise of its binary form.
fn decimal(volts: f32) -> f64 {
    (f64::from(volts) * 1000.0).round() / 1000.0
}

fn alarm(port: u16, code: line::AlarmCode) -> Value {
    let severity = catalog::AlarmCode::from(code).severity();
    let text = match code {
        line::AlarmCode::LineLost => "断线",
        line::AlarmCode::OffHookTooLong => "摘机过久",
        line::AlarmCode::NoCall => "长时间无通话",
    };
    json!({"code": code, "severity": severity, "text": format!("{text}: 通道[{port:02}]")})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: LineEventKind) -> String {
        let event = LineEvent { at: SampleIndex(98_720), kind };
        to_json(1, &event, |_| "c".into(), &Kept::default()).expect("has a place").to_string()
    }

    #[test]
    fn events_look_as_the_format_says() {
        assert_eq!(
            text(LineEventKind::OffHook { volts: 8.1 }),
            r#"{"t":12.34,"port":1,"event":"off_hook","volts":8.1}"#
        );
        assert_eq!(
            text(LineEventKind::Digit { digit: signal::Digit(b'#'), samples: 321 }),
            r##"{"t":12.34,"port":1,"event":"digit","digit":"#","duration_ms":40}"##
        );
        assert_eq!(
            text(LineEventKind::ToneStart(signal::Tone::SpecialDial)),
            r#"{"t":12.34,"port":1,"event":"tone_start","tone":"special-dial"}"#
        );
        assert_eq!(
            text(LineEventKind::AlarmRaised { code: line::AlarmCode::LineLost }),
            r#"{"t":12.34,"port":1,"event":"alarm_raised","code":"line_lost","severity":"critical","text":"断线: 通道[01]"}"#
        );
        let caller_id = signal::CallerId {
            number: arrayvec::ArrayString::from("13900001111").ok(),
            name: None,
            time: None,
            standard: signal::CallerIdStandard::FskV23,
        };
        assert_eq!(
            text(LineEventKind::CallerId(caller_id)),
            r#"{"t":12.34,"port":1,"event":"caller_id","number":"13900001111","name":null,"time":null,"standard":"fsk-v23"}"#
        );
    }
}
