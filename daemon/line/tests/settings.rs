//! Settings as files and the API write them: what is refused, and how it is said.

extern crate hookline_line as line;

use line::{ChannelSettings, Line, StartMode, StopMode};
use proptest::prelude::*;

fn read(toml: &str) -> Result<ChannelSettings, String> {
    let settings: ChannelSettings = toml::from_str(toml).map_err(|error| error.message().to_owned())?;
    settings.validate().map_err(|error| error.to_string())?;
    Ok(settings)
}

#[test]
fn the_defaults_are_right_and_survive_a_round_trip() {
    let defaults = read("").expect("defaults are right");
    assert_eq!(defaults, ChannelSettings::default());
    let written = toml::to_string(&defaults).expect("can be written");
    assert_eq!(read(&written), Ok(defaults));
}

#[test]
fn only_off_hook_given_on_hook_is_2_v_above() {
    assert_eq!(read("off_hook_below_volts = 12.5").map(|s| s.on_hook_volts()), Ok(14.5));
    let both = read("off_hook_below_volts = 12.5\non_hook_above_volts = 13.0");
    assert_eq!(both.map(|s| s.on_hook_volts()), Ok(13.0));
}

#[test]
fn stop_modes_follow_the_start_mode_unless_they_are_set() {
    use StopMode::{Length, LineLost, Manual, OnHook, Schedule, Silence};
    let table: &[(&str, &[StopMode])] = &[
        ("voltage", &[OnHook, LineLost, Length]),
        ("voice", &[Silence, Length]),
        ("key", &[Manual, OnHook, Length]),
        ("schedule", &[Schedule, Length]),
        ("continuous", &[Length]),
        ("manual", &[Manual, Length]),
        ("signalling", &[StopMode::Release, Length]),
    ];
    for (start, stops) in table {
        let settings = read(&format!("start_mode = '{start}'")).expect("right");
        assert_eq!(settings.stop_modes_of(settings.start_mode), *stops, "{start}");
    }
    // A code is one way to stop by hand.
    let key = read("start_mode = 'key'\nstop_modes = ['key', 'on_hook']").expect("right");
    assert_eq!(key.stop_modes_of(StartMode::Key), [Manual, OnHook]);
}

#[test]
fn what_is_wrong_is_named_with_its_value_and_what_would_be_right() {
    let table = [
        ("off_hook_below_volts = 0.0", "off_hook_below_volts is 0; expected 0.5 to 150 volts"),
        ("off_hook_below_volts = nan", "off_hook_below_volts is NaN; expected 0.5 to 150 volts"),
        (
            "on_hook_above_volts = 15.0",
            "on_hook_above_volts is 15; expected at least off_hook_below_volts (16)",
        ),
        (
            "line_lost_below_volts = 16.0",
            "line_lost_below_volts is 16; expected less than off_hook_below_volts (16)",
        ),
        ("line_lost_after_s = 61.0", "line_lost_after_s is 61; expected 0.5 to 60 seconds"),
        ("hook_debounce_ms = 9", "hook_debounce_ms is 9; expected 10 to 500 milliseconds"),
        ("flash_max_ms = 99", "flash_max_ms is 99; expected 100 to 2000 milliseconds"),
        ("ring_above_volts = -20.0", "ring_above_volts is -20; expected 0.5 to 150 volts"),
        ("silence_stop_s = 0.0", "silence_stop_s is 0; expected 0.5 to 60 seconds"),
        ("max_length_s = 1.0", "max_length_s is 1; expected 10 to 86400 seconds"),
        ("pre_roll_s = -1.0", "pre_roll_s is -1; expected 0 to 30 seconds"),
        ("voice_above_dbm0 = 3.0", "voice_above_dbm0 is 3; expected -60 to 0 dBm0"),
        (
            "country = 'china'",
            "country is \"china\"; expected a country's two small letters by ISO 3166-1, such as \"cn\"",
        ),
        ("key_start = 'go'", "key_start is \"go\"; expected 1 to 16 of the keys 0-9 * # A-D"),
        ("key_stop = ''", "key_stop is \"\"; expected 1 to 16 of the keys 0-9 * # A-D"),
        (
            "do_not_record = ['110', '*']",
            "do_not_record is \"*\"; expected 1 to 32 digits, and a * behind them for any more digits",
        ),
        (
            "schedule = [{ weekdays = [8], from = '08:00', to = '09:00' }]",
            "schedule is weekdays [8]; expected one to seven of the days 1 (Monday) to 7 (Sunday)",
        ),
        (
            "do_not_record_times = [{ weekdays = [1], from = '8:00', to = '09:00' }]",
            "do_not_record_times is \"8:00\"; expected a time HH:MM, 00:00 to 23:59",
        ),
        (
            "schedule = [{ weekdays = [1], from = '08:00', to = '24:01' }]",
            "schedule is \"24:01\"; expected a time HH:MM, 00:00 to 24:00",
        ),
        (
            "stop_modes = ['length']",
            "stop_modes is [length]; expected a mode beside length that ends a recording, such as on_hook or silence",
        ),
        ("stop_modes = ['on_hook', 'on_hook']", "stop_modes is [on_hook, on_hook]; expected each mode once"),
        (
            "stop_modes = ['on_hook', 'power_loss']",
            "stop_modes is \"power_loss\"; expected modes that can be chosen: shutdown and power loss always stop",
        ),
        (
            "off_hook_alarm_after_s = 40000000",
            "off_hook_alarm_after_s is 40000000; expected 0 to 31622400 seconds, 0 for no alarm",
        ),
    ];
    for (toml, sentence) in table {
        assert_eq!(read(toml), Err(sentence.to_owned()), "{toml}");
    }
}

#[test]
fn unknown_settings_and_words_are_refused() {
    for (toml, word) in
        [("colour = 'red'", "colour"), ("start_mode = 'psychic'", "psychic"), ("pre_roll_s = 'long'", "long")]
    {
        let error = read(toml).expect_err("refused");
        assert!(error.contains(word), "{toml}: {error}");
    }
}

#[test]
fn a_field_can_be_asked_for() {
    let wrong = ChannelSettings { pre_roll_s: f32::INFINITY, ..Default::default() };
    let error = wrong.validate().expect_err("refused");
    assert_eq!((error.field(), error.value(), error.expected()), ("pre_roll_s", "inf", "0 to 30 seconds"));
}

fn any_number() -> impl Strategy<Value = f32> {
    prop_oneof![any::<f32>(), -1.0f32..200.0, Just(f32::NAN)]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_in_one_sentence(text in "[ -~\n]{0,200}") {
        if let Err(error) = read(&text) {
            prop_assert!(!error.is_empty());
        }
    }

    /// Whatever the settings, they are refused, or a line can be made of them and lives.
    #[test]
    fn settings_that_are_right_make_a_line(
        volts in prop::array::uniform4(any_number()),
        times in prop::array::uniform4(any_number()),
        counts in prop::array::uniform4(prop_oneof![any::<u32>(), 0u32..3000]),
        country in "[a-zA-Z]{0,3}",
        key in "[0-9*#A-E]{0,18}",
        number in "[0-9*+]{0,34}",
        span in ("[0-9:]{4,6}", "[0-9:]{4,6}", prop::collection::vec(any::<u8>(), 0..3)),
        modes in prop::option::of(prop::collection::vec(prop::sample::select(StopMode::ALL.to_vec()), 0..4)),
        start_mode in prop::sample::select(StartMode::ALL.to_vec()),
    ) {
        let spans = vec![line::WeeklySpan { from: span.0, to: span.1, weekdays: span.2 }];
        let settings = ChannelSettings {
            start_mode,
            stop_modes: modes,
            off_hook_below_volts: volts[0],
            on_hook_above_volts: Some(volts[1]),
            line_lost_below_volts: volts[2],
            ring_above_volts: volts[3],
            line_lost_after_s: times[0],
            silence_stop_s: times[1],
            max_length_s: times[2],
            pre_roll_s: times[3],
            hook_debounce_ms: counts[0],
            flash_max_ms: counts[1],
            off_hook_alarm_after_s: counts[2],
            no_call_alarm_after_s: counts[3],
            country,
            key_start: key.clone(),
            key_stop: key,
            do_not_record: vec![number],
            do_not_record_times: spans.clone(),
            schedule: spans,
            ..Default::default()
        };
        match settings.validate() {
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
            Ok(()) => {
                let analog = settings.start_mode != StartMode::Signalling
                    && !settings.stop_modes.as_ref().is_some_and(|modes| modes.contains(&StopMode::Release));
                prop_assert_eq!(Line::new(1, settings.clone()).is_ok(), analog);
                prop_assert!(line::max_lookback_samples(&settings) <= 8000 * 62);
            }
        }
    }
}
