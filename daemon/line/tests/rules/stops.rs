//! Stop modes (ST-03).

use super::script::{check, check_only};

#[test]
fn line_lost_stops_where_the_voltage_went() {
    check(
        "",
        "1.0  8V
         10.0 0.2V
         20.0 48V
         30.0 end",
        "1.000 off_hook
         1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         10.000 line_lost
         10.000 alarm_raised line_lost
         10.000 record_stop line_lost start 1.000 unknown -
         20.000 line_restored
         20.000 alarm_cleared line_lost
         20.000 on_hook",
    );
}

#[test]
fn a_call_that_outlasts_a_lost_line_is_recorded_on() {
    check_only(
        &["record"],
        "",
        "1.0  8V
         10.0 0.2V
         20.0 8V
         25.0 48V
         30.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         10.000 record_stop line_lost start 1.000 unknown -
         20.000 record_start voltage call 20.000 segment 0 pre-roll 2.000
         25.000 record_stop on_hook start 20.000 unknown -",
    );
}

#[test]
fn without_line_lost_among_the_stop_modes_the_recording_goes_on() {
    check_only(
        &["record"],
        "stop_modes = ['on_hook']",
        "1.0  8V
         3.0  dial 8005
         10.0 0.2V
         20.0 48V
         30.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         20.000 record_stop on_hook start 1.000 outgoing_unanswered 8005",
    );
}

#[test]
fn busy_tone_stops_at_its_first_burst() {
    check_only(
        &["record"],
        "stop_modes = ['on_hook', 'busy_tone', 'length']",
        "1.0  8V
         3.0  dial 8005
         10.0 tone busy 5.0
         20.0 48V
         30.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         10.000 record_stop busy_tone start 1.000 outgoing_unanswered 8005",
    );
}

#[test]
fn what_is_said_after_busy_tone_is_recorded_on() {
    check_only(
        &["record"],
        "stop_modes = ['on_hook', 'busy_tone', 'length']",
        "1.0  8V
         3.0  dial 8005
         10.0 tone busy 5.0
         17.0 flash 300
         18.0 dial 8006
         20.0 voice 5.0
         30.0 48V
         40.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         10.000 record_stop busy_tone start 1.000 outgoing_unanswered 8005
         18.000 record_start voltage call 1.000 segment 1 pre-roll 2.000
         30.000 record_stop on_hook start 18.000 outgoing_unanswered 80058006",
    );
}

#[test]
fn silence_stops_a_phone_left_off_hook_but_no_call_that_is_being_set_up() {
    check_only(
        &["record"],
        "stop_modes = ['on_hook', 'silence']",
        "1.0  8V
         3.0  tone dial 3.0
         6.0  dial 8005
         9.0  tone ringback 20.0
         31.0 voice 2.0
         50.0 48V
         60.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         33.000 record_stop silence start 1.000 outgoing_answered 8005",
    );
}

#[test]
fn a_recording_in_which_nothing_is_said_ends_when_that_is_certain() {
    check_only(
        &["record"],
        "stop_modes = ['on_hook', 'silence']\nsilence_stop_s = 8.0",
        "1.0 8V\n50.0 48V\n60.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         9.000 record_stop silence start 1.000 unknown -",
    );
}

#[test]
fn on_hook_that_is_certain_only_after_the_silence_stops_first() {
    check_only(
        &["record"],
        "stop_modes = ['on_hook', 'silence']",
        "1.0 8V\n5.9 48V\n20.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         5.900 record_stop on_hook start 1.000 unknown -",
    );
}

#[test]
fn length_goes_on_in_a_new_segment_at_the_very_sample() {
    check_only(
        &["record"],
        "max_length_s = 10.0",
        "1.0  8V
         3.0  dial 8005
         25.5 48V
         40.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         11.000 record_stop length start 1.000 outgoing_unanswered 8005
         11.000 record_start voltage call 1.000 segment 1 pre-roll 0.000
         21.000 record_stop length start 11.000 outgoing_unanswered 8005
         21.000 record_start voltage call 1.000 segment 2 pre-roll 0.000
         25.500 record_stop on_hook start 21.000 outgoing_unanswered 8005",
    );
}

#[test]
fn no_segment_follows_when_the_call_ends_with_the_limit() {
    // On-hook is certain only after the limit has passed.
    check_only(
        &["record"],
        "max_length_s = 10.0",
        "1.0 8V\n10.9 48V\n20.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         10.900 record_stop on_hook start 1.000 unknown -",
    );
    check_only(
        &["record"],
        "max_length_s = 10.0",
        "1.0 8V\n8.0 0.1V\n20.0 48V\n30.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         8.000 record_stop line_lost start 1.000 unknown -",
    );
    check_only(
        &["record"],
        "start_mode = 'voice'\nmax_length_s = 10.0",
        "1.0 voice 9.0\n30.0 end",
        "1.000 record_start voice call 1.000 segment 0 pre-roll 1.000
         10.000 record_stop silence start 1.000 unknown -",
    );
    check_only(
        &["record"],
        "start_mode = 'continuous'\nmax_length_s = 10.0",
        "20.0 end",
        "0.000 record_start continuous call 0.000 segment 0 pre-roll 0.000
         10.000 record_stop length start 0.000 unknown -
         10.000 record_start continuous call 0.000 segment 1 pre-roll 0.000
         20.000 record_stop shutdown start 10.000 unknown -",
    );
}

#[test]
fn voice_that_goes_on_after_a_pause_at_the_limit_is_split_at_the_limit() {
    check_only(
        &["record"],
        "start_mode = 'voice'\nmax_length_s = 10.0",
        "1.0  voice 9.0
         13.0 voice 2.0
         30.0 end",
        "1.000 record_start voice call 1.000 segment 0 pre-roll 1.000
         11.000 record_stop length start 1.000 unknown -
         11.000 record_start voice call 1.000 segment 1 pre-roll 0.000
         15.000 record_stop silence start 11.000 unknown -",
    );
}

#[test]
fn without_length_among_the_stop_modes_its_setting_does_not_count() {
    check_only(
        &["record"],
        "max_length_s = 10.0\nstop_modes = ['on_hook']",
        "1.0 8V\n50.0 48V\n60.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         50.000 record_stop on_hook start 1.000 unknown -",
    );
}

#[test]
fn without_any_limit_a_segment_ends_after_a_day_without_losing_a_sample() {
    check_only(
        &["record"],
        "start_mode = 'continuous'\nstop_modes = ['manual']",
        "172805.0 end",
        "0.000 record_start continuous call 0.000 segment 0 pre-roll 0.000
         86400.000 record_stop length start 0.000 unknown -
         86400.000 record_start continuous call 0.000 segment 1 pre-roll 0.000
         172800.000 record_stop length start 86400.000 unknown -
         172800.000 record_start continuous call 0.000 segment 2 pre-roll 0.000
         172805.000 record_stop shutdown start 172800.000 unknown -",
    );
}

#[test]
fn stopped_by_hand_a_call_stays_stopped_and_the_next_is_recorded() {
    check_only(
        &["record"],
        "stop_modes = ['on_hook', 'manual']",
        "1.0  8V
         5.0  command manual_stop
         9.0  voice 3.0
         15.0 48V
         20.0 8V
         25.0 48V
         30.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         5.000 record_stop manual start 1.000 unknown -
         20.000 record_start voltage call 20.000 segment 0 pre-roll 2.000
         25.000 record_stop on_hook start 20.000 unknown -",
    );
}

#[test]
fn continuous_stopped_by_hand_waits_for_a_start_by_hand() {
    check_only(
        &["record"],
        "start_mode = 'continuous'\nstop_modes = ['manual', 'length']",
        "5.0  command manual_stop
         9.0  8V
         12.0 48V
         15.0 command manual_start
         20.0 end",
        "0.000 record_start continuous call 0.000 segment 0 pre-roll 0.000
         5.000 record_stop manual start 0.000 unknown -
         15.000 record_start manual call 15.000 segment 0 pre-roll 0.000
         20.000 record_stop shutdown start 15.000 unknown -",
    );
}

#[test]
fn on_hook_just_before_the_input_ends_is_on_hook() {
    check(
        "",
        "1.0 8V\n9.8 48V\n10.0 end",
        "1.000 off_hook
         1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         9.800 on_hook
         9.800 record_stop on_hook start 1.000 unknown -",
    );
}
