//! Do-not-record numbers and times (ST-21).

use super::script::check_only;

const WORDS: &[&str] = &["record", "no_audio"];

#[test]
fn a_listed_caller_is_withheld_from_the_start() {
    check_only(
        WORDS,
        "do_not_record = ['8005', '110']",
        "1.0  ring 1.0
         2.6  caller-id 8005 bell202
         5.0  8V
         20.0 48V
         25.0 8V
         30.0 48V
         40.0 end",
        "1.000 no_audio incoming_answered 8005 end 20.000 withheld
         25.000 record_start voltage call 25.000 segment 0 pre-roll 2.000
         30.000 record_stop on_hook start 25.000 unknown -",
    );
}

#[test]
fn a_listed_caller_that_is_missed_is_a_missed_call() {
    check_only(
        WORDS,
        "do_not_record = ['8005']",
        "1.0 ring 1.0\n2.6 caller-id 8005 bell202\n20.0 end",
        "1.000 no_audio incoming_missed 8005 end 2.000",
    );
}

#[test]
fn a_listed_number_that_is_dialled_is_withheld_when_it_is_whole() {
    // Whole by ringback, said at 9.5.
    check_only(
        WORDS,
        "do_not_record = ['8005']",
        "1.0  8V
         3.0  dial 8005
         8.0  tone ringback 1.0
         12.0 voice 5.0
         20.0 48V
         40.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         9.500 record_withheld
         20.000 record_stop on_hook start 1.000 outgoing_answered 8005 withheld",
    );
}

#[test]
fn a_longer_number_than_the_listed_one_is_recorded() {
    check_only(
        WORDS,
        "do_not_record = ['8005']",
        "1.0 8V\n3.0 dial 80051\n20.0 48V\n40.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         20.000 record_stop on_hook start 1.000 outgoing_unanswered 80051",
    );
}

#[test]
fn a_listed_beginning_is_withheld_as_soon_as_it_is_dialled() {
    check_only(
        WORDS,
        "do_not_record = ['80*']",
        "1.0 8V\n3.0 dial 8005\n20.0 48V\n40.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         3.270 record_withheld
         20.000 record_stop on_hook start 1.000 outgoing_unanswered 8005 withheld",
    );
}

#[test]
fn what_is_dialled_and_left_alone_is_whole_after_a_while() {
    check_only(
        &["record_withheld"],
        "do_not_record = ['8005']",
        "1.0 8V\n3.0 dial 8005\n20.0 48V\n40.0 end",
        "9.560 record_withheld",
    );
}

#[test]
fn a_continuous_recording_leaves_a_listed_call_out() {
    check_only(
        WORDS,
        "do_not_record = ['8005']\nstart_mode = 'continuous'",
        "1.0  ring 1.0
         2.6  caller-id 8005 bell202
         5.0  8V
         20.0 48V
         40.0 end",
        "0.000 record_start continuous call 0.000 segment 0 pre-roll 0.000
         1.000 no_audio incoming_answered 8005 end 20.000 withheld
         5.000 record_stop manual start 0.000 unknown -
         20.000 record_start continuous call 20.000 segment 0 pre-roll 0.000
         40.000 record_stop shutdown start 20.000 unknown -",
    );
}

#[test]
fn nothing_is_recorded_in_a_time_that_must_not_be() {
    // The first call runs into it, the second lies within, the third runs out of it.
    check_only(
        WORDS,
        "",
        "1.0  8V
         10.0 command do_not_record_begin
         15.0 48V
         20.0 8V
         25.0 48V
         30.0 8V
         40.0 command do_not_record_end
         45.0 48V
         60.0 end",
        "1.000 record_start voltage call 1.000 segment 0 pre-roll 1.000
         10.000 record_stop schedule start 1.000 unknown -
         20.000 no_audio unknown - end 25.000 withheld
         40.000 record_start voltage call 30.000 segment 0 pre-roll 0.000
         45.000 record_stop on_hook start 40.000 unknown -",
    );
}

#[test]
fn a_time_that_must_not_be_recorded_at_the_first_sample_keeps_continuous_from_starting() {
    check_only(
        WORDS,
        "start_mode = 'continuous'",
        "0.0  command do_not_record_begin
         10.0 command do_not_record_end
         20.0 end",
        "10.000 record_start continuous call 10.000 segment 0 pre-roll 0.000
         20.000 record_stop shutdown start 10.000 unknown -",
    );
}

#[test]
fn a_call_missed_in_such_a_time_is_still_a_missed_call() {
    check_only(
        WORDS,
        "",
        "0.0 command do_not_record_begin\n5.0 ring 1.0\n30.0 end",
        "5.000 no_audio incoming_missed - end 6.000",
    );
}
