//! Whatever happens on a line in whatever order, its events obey a grammar.

use arrayvec::ArrayString;
use line::event::RecordStop;
use line::{
    AlarmCode, CallKey, CallType, ChannelSettings, Command, Line, LineEvent, LineEventKind, OpenRecording,
    PortState, PortUse, Side, StartMode, StopMode, max_lookback_samples,
};
use proptest::prelude::*;
use signal::{CallerId, CallerIdStandard, Detection, Digit, SampleIndex, Tone};

#[derive(Clone, Debug)]
enum Step {
    Advance { samples: u64 },
    Status { volts: f32, ring_volts: f32 },
    Heard { side: Side, ago: u64, what: Heard },
    Command(Command),
    Settings(Box<ChannelSettings>),
    Use(PortUse),
}

#[derive(Clone, Debug)]
enum Heard {
    Digit(u8),
    CallerId(CallerIdStandard, String),
    ToneStart(Tone),
    ToneStop(Tone),
    VoiceStart,
    VoiceStop,
}

impl Heard {
    fn detection(&self, at: SampleIndex) -> Detection {
        match self {
            Self::Digit(digit) => Detection::Digit { at, digit: Digit(*digit), samples: 640 },
            Self::CallerId(standard, number) => {
                let number = ArrayString::from(number).ok();
                let caller_id = CallerId { number, name: None, time: None, standard: *standard };
                Detection::CallerId { at, caller_id }
            }
            Self::ToneStart(tone) => Detection::ToneStart { at, tone: *tone },
            Self::ToneStop(tone) => Detection::ToneStop { at, tone: *tone },
            Self::VoiceStart => Detection::VoiceStart { at },
            Self::VoiceStop => Detection::VoiceStop { at },
        }
    }
}

fn settings() -> impl Strategy<Value = ChannelSettings> {
    let start = prop::sample::select(
        StartMode::ALL.iter().copied().filter(|mode| *mode != StartMode::Signalling).collect::<Vec<_>>(),
    );
    let stops = prop::option::of(prop::sample::subsequence(
        vec![
            StopMode::OnHook,
            StopMode::Silence,
            StopMode::BusyTone,
            StopMode::LineLost,
            StopMode::Schedule,
            StopMode::Length,
            StopMode::Manual,
        ],
        1..=7,
    ));
    let numbers = prop::sample::subsequence(vec!["11".to_owned(), "8005".into(), "1*".into()], 0..=2);
    (start, stops, numbers, 0u32..12, 10u32..30, any::<bool>()).prop_filter_map(
        "settings that a line can have",
        |(start_mode, stop_modes, do_not_record, alarm_s, max_length_s, record_missed_calls)| {
            let settings = ChannelSettings {
                start_mode,
                stop_modes,
                do_not_record,
                off_hook_alarm_after_s: alarm_s,
                no_call_alarm_after_s: alarm_s * 2,
                max_length_s: max_length_s as f32,
                record_missed_calls,
                key_start: "1".into(),
                key_stop: "2".into(),
                ..Default::default()
            };
            settings.validate().ok().map(|()| settings)
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let volts = prop_oneof![4 => Just(48.0f32), 4 => Just(8.0f32), 1 => Just(-8.0f32), 1 => Just(0.1f32), 1 => -60.0f32..60.0];
    let ring_volts = prop_oneof![4 => Just(0.0f32), 1 => Just(75.0f32)];
    let tone = prop::sample::select(vec![Tone::Dial, Tone::Ringback, Tone::Busy, Tone::Howler]);
    let standard = prop::sample::select(vec![CallerIdStandard::FskBell202, CallerIdStandard::Dtmf]);
    let what = prop_oneof![
        6 => prop::sample::select(b"1258*#ADC".to_vec()).prop_map(Heard::Digit),
        1 => (standard, "1?8005").prop_map(|(standard, number)| Heard::CallerId(standard, number)),
        2 => tone.clone().prop_map(Heard::ToneStart),
        2 => tone.prop_map(Heard::ToneStop),
        3 => Just(Heard::VoiceStart),
        3 => Just(Heard::VoiceStop),
    ];
    let side = prop::sample::select(vec![Side::Near, Side::Far, Side::Both]);
    let command = prop::sample::select(vec![
        Command::ManualStart,
        Command::ManualStop,
        Command::ScheduleBegin,
        Command::ScheduleEnd,
        Command::DoNotRecordBegin,
        Command::DoNotRecordEnd,
        Command::AcknowledgeOffHook,
    ]);
    let port_use = prop::sample::select(vec![
        PortUse::Recorded,
        PortUse::Recorded,
        PortUse::Recorded,
        PortUse::Disabled,
        PortUse::Unused,
    ]);
    prop_oneof![
        10 => prop_oneof![1u64..800, 400u64..8000, 4000u64..80_000].prop_map(|samples| Step::Advance { samples }),
        8 => (volts, ring_volts).prop_map(|(volts, ring_volts)| Step::Status { volts, ring_volts }),
        8 => (side, 0u64..12_000, what).prop_map(|(side, ago, what)| Step::Heard { side, ago, what }),
        2 => command.prop_map(Step::Command),
        1 => settings().prop_map(|settings| Step::Settings(Box::new(settings))),
        1 => port_use.prop_map(Step::Use),
    ]
}

/// Reads events in the order in which they are said, and knows what may come next.
#[derive(Default)]
struct Grammar {
    open: Option<(SampleIndex, CallKey, u32, StartMode, u32)>,
    withheld: bool,
    last_stop: Option<(SampleIndex, RecordStop)>,
    alarms: Vec<(AlarmCode, SampleIndex)>,
    off_hook: Option<bool>,
    do_not_record: bool,
    lookback: u64,
}

impl Grammar {
    fn read(&mut self, now: SampleIndex, event: &LineEvent) -> Result<(), TestCaseError> {
        prop_assert!(event.at <= now, "in the future: {event:?} at {now:?}");
        match &event.kind {
            LineEventKind::RecordStart { call, segment, mode, pre_roll_samples } => {
                prop_assert!(self.open.is_none(), "two at once: {event:?}");
                prop_assert!(!self.do_not_record, "in a time that must not be recorded: {event:?}");
                prop_assert!(now.since(event.at) <= self.lookback, "too far back: {event:?} at {now:?}");
                prop_assert!(call.at <= event.at);
                if let Some((at, stop)) = &self.last_stop {
                    prop_assert!(event.at.minus(u64::from(*pre_roll_samples)) >= *at, "overlap: {event:?}");
                    let next = if stop.call == *call { stop.segment + 1 } else { 0 };
                    prop_assert_eq!(*segment, next);
                    if stop.stop_mode == StopMode::Length {
                        prop_assert!(event.at == *at && stop.call == *call && *pre_roll_samples == 0);
                        prop_assert_eq!(*mode, stop.start_mode);
                    }
                }
                self.open = Some((event.at, *call, *segment, *mode, *pre_roll_samples));
                self.withheld = false;
            }
            LineEventKind::RecordWithheld { call, segment } => {
                let open = self.open.map(|open| (open.1, open.2));
                prop_assert!(open == Some((*call, *segment)) && !self.withheld);
                self.withheld = true;
            }
            LineEventKind::RecordStop(stop) => {
                let open = (stop.start, stop.call, stop.segment, stop.start_mode, stop.pre_roll_samples);
                prop_assert_eq!(self.open.take(), Some(open));
                prop_assert!(event.at >= stop.start && stop.withheld == self.withheld);
                self.last_stop = Some((event.at, stop.clone()));
            }
            LineEventKind::CallWithoutAudio(call) => {
                prop_assert!(call.call.at == event.at && call.end >= event.at && call.end <= now);
            }
            LineEventKind::AlarmRaised { code } => {
                prop_assert!(self.alarms.iter().all(|(raised, _)| raised != code), "raised twice: {event:?}");
                self.alarms.push((*code, event.at));
            }
            LineEventKind::AlarmCleared { code } => {
                let place = self.alarms.iter().position(|(raised, _)| raised == code);
                let Some(place) = place else {
                    return Err(TestCaseError::fail(format!("not raised: {event:?}")));
                };
                prop_assert!(self.alarms.swap_remove(place).1 <= event.at);
            }
            LineEventKind::OffHook { volts } => {
                prop_assert!(self.off_hook != Some(true) && volts.abs() >= 3.0, "{event:?}");
                self.off_hook = Some(true);
            }
            LineEventKind::OnHook { .. } => {
                prop_assert!(self.off_hook != Some(false), "{event:?}");
                self.off_hook = Some(false);
            }
            _ => {}
        }
        if let Some((_, stop)) = &self.last_stop
            && stop.stop_mode == StopMode::Length
        {
            prop_assert!(
                self.open.is_some() || matches!(event.kind, LineEventKind::RecordStop(_)),
                "a gap: {event:?}"
            );
        }
        Ok(())
    }
}

/// What a page shows of a line, and how many changes it knew of then.
struct Shown(u64, PortState, Option<OpenRecording>);

impl Shown {
    fn of(line: &Line) -> Self {
        Self(line.changes(), line.port_state(), line.open_recording())
    }

    /// What is shown still holds, unless the line has counted a change.
    fn look_again(&mut self, line: &Line) -> Result<(), TestCaseError> {
        let Self(changes, state, recording) = Self::of(line);
        if changes == self.0 {
            prop_assert_eq!((state, recording), (self.1, self.2));
        }
        *self = Self(changes, state, recording);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn events_obey_the_grammar(first in settings(), steps in prop::collection::vec(step(), 1..150)) {
        let mut grammar = Grammar { lookback: max_lookback_samples(&first), ..Default::default() };
        let mut line = Line::new(7, first).expect("settings are right");
        let mut now = SampleIndex(0);
        let mut out = Vec::new();
        let mut shown = Shown::of(&line);
        for step in &steps {
            match step {
                Step::Advance { samples } => {
                    // As a station does, in blocks of 10 ms.
                    let until = now.plus(*samples);
                    while now < until {
                        now = now.plus(80).min(until);
                        line.advance(now, &mut out);
                        shown.look_again(&line)?;
                        for event in out.drain(..) {
                            grammar.read(now, &event)?;
                        }
                    }
                }
                Step::Status { volts, ring_volts } => line.status(now, *volts, *ring_volts, &mut out),
                Step::Heard { side, ago, what } => {
                    let detection = what.detection(now.minus(ago + 640));
                    line.detection(*side, &detection, &mut out);
                    now = now.max(SampleIndex(640));
                }
                Step::Command(command) => {
                    let done = line.command(*command, now, &mut out);
                    match command {
                        Command::DoNotRecordBegin => {
                            prop_assert!(line.open_recording().is_none());
                            // What began before may be said with the command.
                            for event in out.drain(..) {
                                grammar.read(now, &event)?;
                            }
                            grammar.do_not_record = true;
                        }
                        Command::DoNotRecordEnd => grammar.do_not_record = false,
                        Command::ManualStart if done.is_ok() => prop_assert!(line.open_recording().is_some()),
                        Command::ManualStop if done.is_ok() => {
                            let open = line.open_recording();
                            prop_assert!(open.is_none_or(|open| open.start == now));
                        }
                        _ => {}
                    }
                }
                Step::Settings(settings) => {
                    grammar.lookback = grammar.lookback.max(max_lookback_samples(settings));
                    let settings = (**settings).clone();
                    line.change_settings(settings, now, &mut out).expect("settings are right");
                }
                Step::Use(port_use) => {
                    line.set_use(*port_use, now, &mut out);
                    grammar.off_hook = None;
                }
            }
            for event in out.drain(..) {
                grammar.read(now, &event)?;
            }
            prop_assert_eq!(line.open_recording().is_some(), grammar.open.is_some());
            let _ = line.caller_id_armed();
            shown.look_again(&line)?;
        }
        line.finish(now, &mut out);
        shown.look_again(&line)?;
        for event in out.drain(..) {
            grammar.read(now, &event)?;
        }
        prop_assert!(grammar.open.is_none(), "what is open stops with the input");
    }

    /// What the line's status alone decides does not depend on how time is cut. Silence is not in it: that waits for
    /// voice that is heard late, and is looked at once a block; nor what is known of a call as a segment ends, nor a
    /// number that is listed, which acts when it becomes known.
    #[test]
    fn events_do_not_depend_on_the_length_of_blocks(
        settings in settings(),
        steps in prop::collection::vec(step(), 1..100),
        block in 1u64..2000,
    ) {
        let settings = ChannelSettings { stop_modes: None, do_not_record: Vec::new(), ..settings };
        let steps: Vec<Step> = steps
            .into_iter()
            .filter(|step| matches!(step, Step::Advance { .. } | Step::Status { .. }))
            .collect();
        let play = |block: u64| {
            let mut line = Line::new(7, settings.clone()).expect("settings are right");
            let (mut now, mut out) = (SampleIndex(0), Vec::new());
            for step in &steps {
                match step {
                    Step::Advance { samples } => {
                        let until = now.plus(*samples);
                        while now < until {
                            now = now.plus(block).min(until);
                            line.advance(now, &mut out);
                        }
                    }
                    Step::Status { volts, ring_volts } => line.status(now, *volts, *ring_volts, &mut out),
                    _ => {}
                }
            }
            line.finish(now, &mut out);
            out.sort_by_key(|event| event.at);
            out
        };
        // Nor alarms, whose cause may end in the block in which they are due.
        let exact = |events: Vec<LineEvent>| -> Vec<LineEvent> {
            let vague = |kind: &LineEventKind| {
                matches!(kind, LineEventKind::AlarmRaised { .. } | LineEventKind::AlarmCleared { .. })
            };
            let mut events: Vec<LineEvent> = events.into_iter().filter(|event| !vague(&event.kind)).collect();
            for event in &mut events {
                if let LineEventKind::RecordStop(stop) = &mut event.kind {
                    (stop.call_type, stop.peer_number, stop.peer_name) = (CallType::Unknown, None, None);
                }
            }
            events
        };
        prop_assert_eq!(exact(play(80)), exact(play(block)));
    }
}
