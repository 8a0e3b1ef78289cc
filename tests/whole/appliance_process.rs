//! The binary as the appliance process: it answers at its socket, alone, and takes the socket along.

mod support;

use appliance::{Appliance, ClockState};
use support::{Process, assert_refused, hookline};

#[test]
fn the_process_answers_alone_and_takes_its_socket_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("appliance.sock");
    let path = socket.to_str().expect("text");
    let kept = folder.path().join("kept");
    let kept = kept.to_str().expect("text");
    let arguments = ["appliance", "--socket", path, "--data", kept].map(str::to_owned);
    let process = Process::start(&arguments, "appliance: ");
    assert_refused(&hookline(&["appliance", "--socket", path]), &[path, "another process"]);
    // A time that it refuses: this is the clock of the machine.
    let error = Appliance::at(&socket).set_time(0).expect_err("refused");
    assert_eq!(error.code(), "bad_request");
    let now = Appliance::at(&socket).clock().expect("it tells the time");
    assert_eq!((now.state, now.trouble), (ClockState::Off, None), "nobody has named a time server");
    process.stop();
    assert!(folder.path().join("kept/clock-state.json").exists(), "the next start knows what time it was");
    assert!(!socket.exists());
    assert_eq!(Appliance::at(&socket).restart().expect_err("nobody").code(), "not_available");
}

#[test]
fn a_socket_that_cannot_be_is_one_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing/appliance.sock");
    let path = missing.to_str().expect("text");
    assert_refused(&hookline(&["appliance", "--socket", path]), &[path]);
    let file = folder.path().join("file");
    std::fs::write(&file, "precious").expect("written");
    let path = file.to_str().expect("text");
    assert_refused(&hookline(&["appliance", "--socket", path]), &[path, "no socket"]);
    assert_eq!(std::fs::read_to_string(&file).expect("read"), "precious");
}
