//! Alarms of a line (ST-11): each is raised and cleared by its real cause.

use line::{ChannelSettings, Command, CommandError, Line};
use signal::SampleIndex;

use super::script::check_only;

const WORDS: &[&str] = &["alarm"];

#[test]
fn line_lost_is_raised_and_cleared_once() {
    check_only(
        WORDS,
        "line_lost_after_s = 3.0",
        "10.0 0.1V
         12.0 48V
         20.0 0.1V
         30.0 48V
         40.0 end",
        "20.000 alarm_raised line_lost
         30.000 alarm_cleared line_lost",
    );
}

#[test]
fn off_hook_too_long() {
    let settings = "off_hook_alarm_after_s = 60";
    check_only(WORDS, settings, "1.0 8V\n60.9 48V\n100.0 end", "");
    check_only(
        WORDS,
        settings,
        "1.0 8V\n90.0 48V\n100.0 end",
        "61.000 alarm_raised off_hook_too_long
         90.000 alarm_cleared off_hook_too_long",
    );
    check_only(WORDS, "", "1.0 8V\n500.0 48V\n600.0 end", "");
}

#[test]
fn off_hook_too_long_ends_when_the_line_is_lost() {
    check_only(
        WORDS,
        "off_hook_alarm_after_s = 60",
        "1.0 8V\n90.0 0V\n100.0 end",
        "61.000 alarm_raised off_hook_too_long
         90.000 alarm_raised line_lost
         90.000 alarm_cleared off_hook_too_long",
    );
}

#[test]
fn acknowledged_it_is_not_raised_again_until_the_next_off_hook() {
    check_only(
        WORDS,
        "off_hook_alarm_after_s = 10",
        "1.0  8V
         20.0 command acknowledge
         50.0 48V
         60.0 8V
         90.0 end",
        "11.000 alarm_raised off_hook_too_long
         20.000 alarm_cleared off_hook_too_long
         70.000 alarm_raised off_hook_too_long",
    );
}

#[test]
fn no_call_for_too_long() {
    check_only(
        WORDS,
        "no_call_alarm_after_s = 100",
        "50.0  8V
         300.0 48V
         420.0 ring 1.0
         600.0 end",
        "400.000 alarm_raised no_call
         420.000 alarm_cleared no_call
         521.000 alarm_raised no_call",
    );
}

#[test]
fn switched_off_or_taken_out_of_use_an_alarm_is_cleared() {
    check_only(
        WORDS,
        "no_call_alarm_after_s = 100",
        "150.0 set no_call_alarm_after_s = 0\n600.0 end",
        "100.000 alarm_raised no_call
         150.000 alarm_cleared no_call",
    );
    check_only(
        WORDS,
        "no_call_alarm_after_s = 100",
        "150.0 use unused\n600.0 end",
        "100.000 alarm_raised no_call
         150.000 alarm_cleared no_call",
    );
}

#[test]
fn commands_that_cannot_be_carried_out_say_why() {
    let mut line = Line::new(1, ChannelSettings::default()).expect("settings are right");
    let mut out = Vec::new();
    let mut command = |command| line.command(command, SampleIndex(8000), &mut out);
    assert_eq!(command(Command::AcknowledgeOffHook), Err(CommandError::NoAlarm));
    assert_eq!(command(Command::ManualStop), Err(CommandError::NotRecording));
    assert_eq!(command(Command::ManualStart), Ok(()));
    assert_eq!(command(Command::ManualStart), Err(CommandError::AlreadyRecording));
    assert_eq!(command(Command::ManualStop), Ok(()));
    assert_eq!(command(Command::DoNotRecordBegin), Ok(()));
    assert_eq!(command(Command::ManualStart), Err(CommandError::DoNotRecord));
    line.set_use(line::PortUse::Disabled, SampleIndex(8000), &mut out);
    assert_eq!(line.command(Command::ManualStart, SampleIndex(8000), &mut out), Err(CommandError::NotInUse));
}
