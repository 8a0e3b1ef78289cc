//! Call types and numbers (ST-05, ST-06), hook, ringing and line lost in events.

use super::script::{check, check_all, check_only};

#[test]
fn incoming_answered_with_caller_id_between_the_rings() {
    check(
        "",
        "1.0  ring 1.0
         2.6  caller-id 01012345678 bell202
         6.0  ring 1.0
         8.0  8V
         9.0  voice 10.0
         30.0 48V
         40.0 end",
        "1.000 ring_start
         2.000 ring_stop
         2.600 caller_id 01012345678
         6.000 ring_start
         7.000 ring_stop
         8.000 off_hook
         8.000 record_start voltage call 1.000 segment 0 pre-roll 2.000
         30.000 on_hook
         30.000 record_stop on_hook start 8.000 incoming_answered 01012345678",
    );
}

#[test]
fn incoming_answered_in_a_burst_of_ringing() {
    check_only(
        &["record"],
        "",
        "1.0  ring 0.6
         1.6  8V
         9.0  48V
         20.0 end",
        "1.600 record_start voltage call 1.000 segment 0 pre-roll 1.600
         9.000 record_stop on_hook start 1.600 incoming_answered -",
    );
}

#[test]
fn off_hook_within_6_s_of_the_last_ring_answers_it_and_later_does_not() {
    check_only(
        &["record_stop", "no_audio"],
        "",
        "1.0  ring 1.0
         8.0  8V
         12.0 48V
         20.0 ring 1.0
         27.1 8V
         30.0 48V
         40.0 end",
        "12.000 record_stop on_hook start 8.000 incoming_answered -
         20.000 no_audio incoming_missed - end 21.000
         30.000 record_stop on_hook start 27.100 unknown -",
    );
}

#[test]
fn ringing_after_more_than_6_s_is_another_call() {
    check_only(
        &["no_audio"],
        "",
        "1.0  ring 1.0
         7.9  ring 1.0
         15.0 ring 1.0
         30.0 end",
        "1.000 no_audio incoming_missed - end 8.900
         15.000 no_audio incoming_missed - end 16.000",
    );
}

#[test]
fn a_missed_call_makes_a_record_without_audio() {
    let script = "1.0  ring 1.0
         2.6  caller-id 8005 v23
         6.0  ring 1.0
         11.0 ring 1.0
         30.0 end";
    check_only(&["record", "no_audio"], "", script, "1.000 no_audio incoming_missed 8005 end 12.000");
    check_only(&["record", "no_audio"], "record_missed_calls = false", script, "");
}

#[test]
fn a_call_missed_at_the_end_of_the_input_is_not_lost() {
    check_only(
        &["no_audio"],
        "",
        "1.0 ring 1.0\n6.0 ring 0.5\n6.5 end",
        "1.000 no_audio incoming_missed - end 6.500",
    );
}

#[test]
fn caller_id_by_dtmf_comes_before_the_first_ring_and_gives_no_digits() {
    check_all(
        "",
        "1.0  dial D13800138000C
         4.0  ring 1.0
         6.0  8V
         9.0  48V
         20.0 end",
        "1.000 caller_id 13800138000
         4.000 ring_start
         5.000 ring_stop
         6.000 off_hook
         6.000 record_start voltage call 4.000 segment 0 pre-roll 2.000
         9.000 on_hook
         9.000 record_stop on_hook start 6.000 incoming_answered 13800138000",
    );
}

#[test]
fn digits_on_an_idle_line_that_are_no_caller_id_are_digits() {
    check_all(
        "",
        "1.0  dial 12
         4.0  dial D1
         20.0 end",
        "1.000 digit 1
         1.160 digit 2
         4.000 digit D
         4.160 digit 1",
    );
}

#[test]
fn caller_id_without_a_ring_belongs_to_no_call() {
    check_only(
        &["record_stop", "caller_id"],
        "",
        "1.0  caller-id 8005 v23
         20.0 ring 1.0
         22.0 8V
         25.0 48V
         30.0 end",
        "1.000 caller_id 8005
         25.000 record_stop on_hook start 22.000 incoming_answered -",
    );
}

#[test]
fn digits_keyed_in_an_incoming_call_do_not_replace_the_caller() {
    check_only(
        &["record_stop"],
        "",
        "1.0  ring 1.0
         2.5  caller-id 8005 bell202
         4.0  8V
         6.0  dial 123
         9.0  48V
         20.0 end",
        "9.000 record_stop on_hook start 4.000 incoming_answered 8005",
    );
}

#[test]
fn outgoing_answered_by_polarity_reversal() {
    check(
        "",
        "1.0  8V
         2.0  tone dial 1.0
         3.5  dial 13800138000
         7.0  tone ringback 6.0
         14.0 -8V
         16.0 dial 5
         20.0 -48V
         30.0 end",
        "1.000 off_hook
         1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         14.000 polarity_reversed
         20.000 on_hook
         20.000 record_stop on_hook start 1.000 outgoing_answered 13800138000",
    );
}

#[test]
fn a_reversal_with_the_hook_is_no_answer() {
    // The exchange reverses as the telephone goes off-hook, and back as it goes on-hook.
    check_only(
        &["record_stop"],
        "",
        "1.0  -8V
         3.5  dial 8005
         20.0 48V
         30.0 end",
        "20.000 record_stop on_hook start 1.000 outgoing_unanswered 8005",
    );
}

#[test]
fn outgoing_answered_by_voice_after_ringback() {
    check_only(
        &["record_stop"],
        "",
        "1.0  8V
         3.5  dial 8005
         7.0  tone ringback 6.0
         15.0 voice 1.0
         17.0 dial 99
         30.0 48V
         40.0 end",
        "30.000 record_stop on_hook start 1.000 outgoing_answered 8005",
    );
}

#[test]
fn an_answer_too_short_for_the_end_of_ringback_to_be_said_still_answers() {
    check_only(
        &["record_stop"],
        "",
        "1.0  8V
         3.5  dial 8005
         7.0  tone ringback 6.0
         14.0 voice 1.5
         16.0 48V
         30.0 end",
        "16.000 record_stop on_hook start 1.000 outgoing_answered 8005",
    );
}

#[test]
fn voice_while_ringback_goes_on_answers_nothing() {
    // Somebody in the room talks while it rings at the other side.
    check_only(
        &["record_stop"],
        "",
        "1.0  8V
         3.5  dial 8005
         7.0  tone ringback 26.0
         9.0  voice 3.0
         40.0 48V
         50.0 end",
        "40.000 record_stop on_hook start 1.000 outgoing_unanswered 8005",
    );
}

#[test]
fn outgoing_answered_without_ringback_by_lasting_voice() {
    let script = |voice_s: f64| {
        format!(
            "1.0  8V
             3.5  dial 8005
             7.0  voice {voice_s}
             14.0 dial 3
             20.0 48V
             30.0 end"
        )
    };
    check_only(
        &["record_stop"],
        "",
        &script(3.0),
        "20.000 record_stop on_hook start 1.000 outgoing_answered 8005",
    );
    check_only(
        &["record_stop"],
        "",
        &script(1.0),
        "20.000 record_stop on_hook start 1.000 outgoing_unanswered 80053",
    );
}

#[test]
fn an_announcement_before_the_ringback_is_no_answer() {
    let script = |ringback_at: f64| {
        format!(
            "1.0  8V
             3.5  dial 8005
             6.0  voice 4.0
             12.0 dial 3
             {ringback_at} tone ringback 6.0
             40.0 48V
             50.0 end"
        )
    };
    check_only(
        &["record_stop"],
        "",
        &script(13.0),
        "40.000 record_stop on_hook start 1.000 outgoing_unanswered 80053",
    );
    // Long after, it is an operator's line that rings on.
    check_only(
        &["record_stop"],
        "",
        &script(20.0),
        "40.000 record_stop on_hook start 1.000 outgoing_answered 8005",
    );
}

#[test]
fn with_two_tracks_only_the_far_side_answers() {
    let script = |side: &str| {
        format!(
            "1.0  8V
             3.5  near dial 8005
             7.0  {side} voice 5.0
             20.0 48V
             30.0 end"
        )
    };
    check_only(
        &["record_stop"],
        "",
        &script("near"),
        "20.000 record_stop on_hook start 1.000 outgoing_unanswered 8005",
    );
    check_only(
        &["record_stop"],
        "",
        &script("far"),
        "20.000 record_stop on_hook start 1.000 outgoing_answered 8005",
    );
}

#[test]
fn with_two_tracks_only_the_near_side_dials() {
    check_only(
        &["record_stop", "digit"],
        "",
        "1.0  8V
         3.5  near dial 8
         3.52 far digit 8
         5.0  far digit 7
         20.0 48V
         30.0 end",
        "3.500 digit 8
         5.000 digit 7
         20.000 record_stop on_hook start 1.000 outgoing_unanswered 8",
    );
}

#[test]
fn outgoing_unanswered_by_busy_congestion_or_unobtainable_tone() {
    for tone in ["busy", "congestion", "unobtainable"] {
        let script = format!(
            "1.0  8V
             3.5  dial 8005
             7.0  tone {tone} 5.0
             13.0 voice 4.0
             20.0 48V
             30.0 end"
        );
        check_only(
            &["record_stop"],
            "",
            &script,
            "20.000 record_stop on_hook start 1.000 outgoing_unanswered 8005",
        );
    }
}

#[test]
fn busy_tone_after_the_talk_does_not_undo_the_answer() {
    check_only(
        &["record_stop"],
        "",
        "1.0  8V
         3.5  dial 8005
         7.0  tone ringback 1.0
         10.0 voice 1.0
         11.5 tone busy 5.0
         20.0 48V
         30.0 end",
        "20.000 record_stop on_hook start 1.000 outgoing_answered 8005",
    );
}

#[test]
fn dialled_with_no_voice_by_the_end_is_unanswered() {
    check_only(
        &["record_stop"],
        "",
        "1.0  8V
         3.5  dial 8005
         7.0  tone ringback 21.0
         40.0 48V
         50.0 end",
        "40.000 record_stop on_hook start 1.000 outgoing_unanswered 8005",
    );
}

#[test]
fn off_hook_without_a_ring_or_a_digit_is_unknown() {
    check_only(
        &["record_stop"],
        "",
        "1.0 8V\n2.0 tone dial 3.0\n9.0 voice 5.0\n20.0 48V\n30.0 end",
        "20.000 record_stop on_hook start 1.000 unknown -",
    );
}

#[test]
fn pulse_digits_make_the_peer_number_and_no_hook_events() {
    check_all(
        "",
        "1.0  8V
         3.0  pulse 119
         20.0 48V
         30.0 end",
        "1.000 off_hook
         1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         3.000 pulse_digit 1
         3.800 pulse_digit 1
         4.600 pulse_digit 9
         20.000 on_hook
         20.000 record_stop on_hook start 1.000 outgoing_unanswered 119",
    );
}

#[test]
fn a_hook_flash_does_not_end_a_call() {
    check(
        "",
        "1.0  8V
         5.0  flash 300
         20.0 48V
         30.0 end",
        "1.000 off_hook
         1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         5.000 hook_flash 300
         20.000 on_hook
         20.000 record_stop on_hook start 1.000 unknown -",
    );
}

#[test]
fn either_polarity_serves() {
    check_only(
        &["hook", "record"],
        "",
        "0.0 -48V\n1.0 -8V\n5.0 -48V\n20.0 end",
        "1.000 off_hook
         1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         5.000 on_hook
         5.000 record_stop on_hook start 1.000 unknown -",
    );
}

#[test]
fn what_is_off_hook_at_sample_0_starts_at_0_and_what_ends_with_the_input_stops_with_shutdown() {
    check(
        "",
        "0.0 8V\n10.0 end",
        "0.000 off_hook
         0.000 record_start voltage call 0.000 segment 0 pre-roll 0.000
         10.000 record_stop shutdown start 0.000 unknown -",
    );
}

#[test]
fn a_tone_or_voice_on_both_tracks_is_said_once() {
    check_all(
        "start_mode = 'manual'",
        "1.0  near voice 3.0
         2.0  far voice 4.0
         10.0 near tone dial 2.0
         10.0 far tone dial 2.0
         20.0 end",
        "1.000 voice_start
         6.000 voice_stop
         10.000 tone_start Dial
         12.000 tone_stop Dial",
    );
}

#[test]
fn line_lost_is_said_of_the_moment_the_voltage_went_and_is_never_off_hook() {
    check(
        "",
        "10.0 0.3V
         30.0 48V
         40.0 end",
        "10.000 line_lost
         10.000 alarm_raised line_lost
         30.000 line_restored
         30.000 alarm_cleared line_lost",
    );
}
