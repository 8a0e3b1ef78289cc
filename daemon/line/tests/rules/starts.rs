//! Start modes (ST-02) and the pre-roll (ST-08).

use line::{ChannelSettings, Line, StartMode};

use super::script::{check, check_only, settings};

#[test]
fn pre_roll_does_not_reach_into_the_recording_before() {
    check_only(
        &["record"],
        "pre_roll_s = 5.0",
        "10.0 8V\n12.0 48V\n13.5 8V\n20.0 48V\n30.0 end",
        "10.000 record_start voltage call 10.000 segment 0 pre-roll 5.000
         12.000 record_stop on_hook start 10.000 unknown -
         13.500 record_start voltage call 13.500 segment 0 pre-roll 1.500
         20.000 record_stop on_hook start 13.500 unknown -",
    );
}

#[test]
fn voice_starts_a_recording_and_silence_stops_it_where_the_last_voice_ended() {
    check(
        "start_mode = 'voice'",
        "5.0  voice 3.0
         12.0 voice 2.0
         30.0 voice 1.0
         50.0 end",
        "5.000 record_start voice call 5.000 segment 0 pre-roll 2.000
         14.000 record_stop silence start 5.000 unknown -
         30.000 record_start voice call 30.000 segment 0 pre-roll 2.000
         31.000 record_stop silence start 30.000 unknown -",
    );
}

#[test]
fn pauses_up_to_silence_stop_do_not_stop_a_voice_recording() {
    check_only(
        &["record"],
        "start_mode = 'voice'\nsilence_stop_s = 3.0",
        "5.0  voice 1.0
         8.95 voice 1.0
         13.0 voice 1.0
         30.0 end",
        "5.000 record_start voice call 5.000 segment 0 pre-roll 2.000
         9.950 record_stop silence start 5.000 unknown -
         13.000 record_start voice call 13.000 segment 0 pre-roll 2.000
         14.000 record_stop silence start 13.000 unknown -",
    );
}

#[test]
fn voice_on_either_track_keeps_a_recording_open() {
    check_only(
        &["record"],
        "start_mode = 'voice'",
        "5.0  near voice 3.0
         7.0  far voice 4.0
         14.0 near voice 1.0
         30.0 end",
        "5.000 record_start voice call 5.000 segment 0 pre-roll 2.000
         15.000 record_stop silence start 5.000 unknown -",
    );
}

#[test]
fn recordings_of_one_call_share_its_name_and_count_up() {
    check_only(
        &["record"],
        "start_mode = 'voice'",
        "1.0  8V
         5.0  voice 1.0
         20.0 voice 1.0
         30.0 48V
         40.0 end",
        "5.000 record_start voice call 1.000 segment 0 pre-roll 2.000
         6.000 record_stop silence start 5.000 unknown -
         20.000 record_start voice call 1.000 segment 1 pre-roll 2.000
         21.000 record_stop silence start 20.000 unknown -",
    );
}

#[test]
fn a_dtmf_code_starts_and_another_stops() {
    check_only(
        &["record"],
        "start_mode = 'key'\nkey_start = '*1'\nkey_stop = '*0'",
        "5.0  dial *1
         10.0 dial 77
         20.0 dial *0
         30.0 end",
        "5.240 record_start key call 5.240 segment 0 pre-roll 0.000
         20.240 record_stop manual start 5.240 unknown 77",
    );
}

#[test]
fn on_hook_stops_a_recording_that_a_code_started_and_codes_are_no_part_of_the_number() {
    check_only(
        &["record"],
        "start_mode = 'key'",
        "1.0  8V
         3.0  dial 8005
         5.0  dial *#
         20.0 48V
         30.0 end",
        "5.240 record_start key call 1.000 segment 0 pre-roll 0.000
         20.000 record_stop on_hook start 5.240 outgoing_unanswered 8005",
    );
}

#[test]
fn a_code_from_the_far_side_starts_nothing() {
    check_only(&["record"], "start_mode = 'key'", "5.0 far digit *\n5.2 far digit #\n9.0 end", "");
}

#[test]
fn schedule_starts_and_stops() {
    check(
        "start_mode = 'schedule'",
        "5.0  command schedule_begin
         20.0 command schedule_end
         30.0 end",
        "5.000 record_start schedule call 5.000 segment 0 pre-roll 0.000
         20.000 record_stop schedule start 5.000 unknown -",
    );
}

#[test]
fn a_schedule_means_nothing_to_other_start_modes() {
    check("", "5.0 command schedule_begin\n20.0 command schedule_end\n30.0 end", "");
}

#[test]
fn continuous_records_from_the_first_sample_to_the_last() {
    check_only(
        &["record", "no_audio"],
        "start_mode = 'continuous'",
        "5.0 8V\n9.0 48V\n20.0 end",
        "0.000 record_start continuous call 0.000 segment 0 pre-roll 0.000
         20.000 record_stop shutdown start 0.000 unknown -",
    );
}

#[test]
fn a_recording_takes_its_facts_from_the_one_call_in_it_and_from_none_of_several() {
    let call = |at: f64| format!("{at} 8V\n{} dial 8005\n{} 48V\n", at + 1.0, at + 9.0);
    check_only(
        &["record_stop"],
        "start_mode = 'continuous'",
        &(call(5.0) + "30.0 end"),
        "30.000 record_stop shutdown start 0.000 outgoing_unanswered 8005",
    );
    check_only(
        &["record_stop"],
        "start_mode = 'continuous'",
        &(call(5.0) + &call(20.0) + "50.0 end"),
        "50.000 record_stop shutdown start 0.000 unknown -",
    );
}

#[test]
fn by_hand_on_a_line_that_records_by_voltage() {
    // The recording by hand ends in the middle of a call, which is recorded on by voltage.
    check_only(
        &["record"],
        "",
        "5.0  command manual_start
         10.0 8V
         15.0 command manual_stop
         20.0 48V
         30.0 end",
        "5.000 record_start manual call 5.000 segment 0 pre-roll 0.000
         15.000 record_stop manual start 5.000 unknown -
         15.000 record_start voltage call 10.000 segment 0 pre-roll 0.000
         20.000 record_stop on_hook start 15.000 unknown -",
    );
}

#[test]
fn manual_start_mode_records_nothing_by_itself() {
    check_only(
        &["record", "no_audio"],
        "start_mode = 'manual'",
        "1.0  8V
         5.0  command manual_start
         9.0  48V
         15.0 command manual_stop
         30.0 end",
        "5.000 record_start manual call 1.000 segment 0 pre-roll 0.000
         15.000 record_stop manual start 5.000 unknown -",
    );
}

#[test]
fn signalling_is_refused_on_an_analog_line() {
    let refused = |settings: ChannelSettings| Line::new(1, settings).expect_err("refused").to_string();
    assert_eq!(
        refused(ChannelSettings { start_mode: StartMode::Signalling, ..Default::default() }),
        "start_mode is \"signalling\"; expected another mode: an analog line has no signalling channel"
    );
    let release = settings("stop_modes = ['release', 'length']");
    assert!(refused(release).starts_with("stop_modes is \"release\""));
}

#[test]
fn new_settings_take_effect_at_once_and_cut_nothing_that_can_still_end() {
    check_only(
        &["record"],
        "",
        "1.0  8V
         5.0  set start_mode = 'voice'
         20.0 48V
         30.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         20.000 record_stop on_hook start 1.000 unknown -",
    );
    check_only(
        &["record"],
        "start_mode = 'continuous'",
        "2.0  8V
         5.0  set start_mode = 'voltage'
         20.0 48V
         30.0 end",
        "0.000 record_start continuous call 0.000 segment 0 pre-roll 0.000
         5.000 record_stop manual start 0.000 unknown -
         5.000 record_start voltage call 2.000 segment 0 pre-roll 0.000
         20.000 record_stop on_hook start 5.000 unknown -",
    );
}

#[test]
fn a_port_out_of_use_says_nothing_but_the_end_of_what_was_open() {
    check(
        "",
        "1.0  8V
         5.0  use disabled
         20.0 48V
         25.0 ring 1.0
         30.0 0V
         40.0 48V
         45.0 8V
         50.0 use recorded
         60.0 48V
         70.0 end",
        "1.000 off_hook
         1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         5.000 record_stop manual start 1.000 unknown -
         50.000 record_start voltage call 50.000 segment 0 pre-roll 0.000
         60.000 on_hook
         60.000 record_stop on_hook start 50.000 unknown -",
    );
}
