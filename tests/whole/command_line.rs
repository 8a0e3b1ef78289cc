//! Bad input at the command line: one clear sentence, exit status 2, nothing changed.

mod support;

use std::fs;
use std::path::Path;

use support::{assert_refused, hookline, marked_audio, start_station, write_scenario};

fn small_scenario(folder: &Path) {
    let volts = "seconds,volts,ring_volts\n0,48,0\n1,8,0\n3,48,0\n".to_owned();
    write_scenario(folder, &[(1, marked_audio(1, 40_000), volts)]);
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[test]
fn a_wrong_command_line_is_one_sentence() {
    for (arguments, part) in [
        (&["record"][..], "record"),
        (&["replay"], "SCENARIO"),
        (&["replay", "x"], "--out"),
        (&["replay", "x", "--out", "y", "--threads", "0"], "--threads"),
        (&["replay", "x", "--out", "y", "--arm", "everything"], "caller-id"),
        (&["station"], "--data"),
        (&["station", "--data", "x", "--colour", "red"], "colour"),
        (&["station", "--data", "x", "--https", "here"], "here"),
        (&["platform"], "--data"),
        (&["platform", "--data", "x", "--intake", "here"], "here"),
        (&["appliance", "--for", "recorder"], "id -u"),
        (&["appliance", "--colour", "red"], "colour"),
        (&["appliance", "--confirm-within", "0"], "--confirm-within"),
        (&["station", "--data", "x", "--good-after", "never"], "--good-after"),
        (&["reindex"], "--data"),
        (&["reindex", "--data", "/nonexistent/folder"], "/nonexistent/folder"),
        (&["check", "--data", "/nonexistent/folder"], "/nonexistent/folder"),
    ] {
        assert_refused(&hookline(arguments), &[part]);
    }
    assert!(!Path::new("x").exists() && !Path::new("y").exists());
}

#[test]
fn a_broken_scenario_names_file_and_row() {
    let dir = tempfile::tempdir().expect("a folder");
    let (scenario, out) = (dir.path().join("scenario"), dir.path().join("out"));
    let toml = scenario.join("scenario.toml");
    let replay = || hookline(&["replay", text(&scenario), "--out", text(&out)]);

    assert_refused(&replay(), &["scenario.toml"]);
    small_scenario(&scenario);
    let good = fs::read_to_string(&toml).expect("text");
    for (from, to, parts) in [
        ("rate = 8000", "rate = 16000", &["16000", "8000"][..]),
        ("rate = 8000", "rate = \"fast\"", &["row 1"]),
        ("rate = 8000", "rate = 8000\ncolour = 1", &["colour"]),
        ("port = 1", "port = 0", &["port = 0"]),
        ("port = 1", "port = 1\noff_hook_below_volts = \"high\"", &["port 1"]),
        ("port = 1", "port = 1\noff_hook_below_volts = -3.0", &["off_hook_below_volts"]),
        ("port = 1", "port = 1\ncolour = \"red\"", &["colour"]),
        ("port = 1", "port = 1\nstart_mode = \"signalling\"", &["signalling"]),
        ("port = 1", "port = 1\ncountry = \"atlantis\"", &["country"]),
        ("kind = \"analog\"", "kind = \"radio\"", &["analog"]),
        ("port01.wav", "missing.wav", &["missing.wav"]),
        ("port01.volts.csv", "missing.csv", &["missing.csv"]),
        ("rate = 8000", "rate = 8000\nstart = \"yesterday\"", &["start"]),
    ] {
        fs::write(&toml, good.replacen(from, to, 1)).expect("written");
        assert_refused(&replay(), parts);
    }
    fs::write(&toml, good).expect("written");
    fs::write(scenario.join("port01.volts.csv"), "seconds,volts,ring_volts\n0,48,0\n1,x,0\n")
        .expect("written");
    assert_refused(&replay(), &["port01.volts.csv", "row 3"]);
    assert!(!out.exists(), "a refused replay leaves nothing behind");
}

#[test]
fn a_second_start_on_the_same_folder_is_refused_and_disturbs_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let (scenario, data) = (dir.path().join("scenario"), dir.path().join("data"));
    small_scenario(&scenario);
    let station = start_station(&data, &scenario);
    let second = hookline(&["station", "--data", text(&data), "--https", "127.0.0.1:0", "--http", "none"]);
    assert_refused(&second, &[text(&data)]);
    assert_refused(&hookline(&["reindex", "--data", text(&data)]), &[text(&data)]);
    station.stop();
}

#[test]
fn a_data_folder_of_a_newer_release_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let (scenario, data) = (dir.path().join("scenario"), dir.path().join("data"));
    small_scenario(&scenario);
    start_station(&data, &scenario).stop();
    fs::write(data.join("version"), "{\"format\": 99, \"readable_from\": 99}\n").expect("written");
    let refused = hookline(&["station", "--data", text(&data), "--https", "127.0.0.1:0", "--http", "none"]);
    assert_refused(&refused, &["99"]);
    assert!(fs::read_to_string(data.join("version")).expect("text").contains("99"));
}

#[test]
fn wrong_settings_files_are_refused_by_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let (scenario, data) = (dir.path().join("scenario"), dir.path().join("data"));
    small_scenario(&scenario);
    start_station(&data, &scenario).stop();
    for (file, content, part) in [
        ("settings/box.toml", "codec = \"mp9\"\n", "mp9"),
        ("settings/box.toml", "time_zone = \"Mars\"\n", "Mars"),
        (
            "settings/channels.toml",
            "[[channel]]\nport = 1\n[channel.settings]\noff_hook_below_volts = -1.0\n",
            "off_hook_below_volts",
        ),
    ] {
        fs::write(data.join(file), content).expect("written");
        let refused = hookline(&[
            "station",
            "--data",
            text(&data),
            "--scenario",
            text(&scenario),
            "--https",
            "127.0.0.1:0",
            "--http",
            "none",
        ]);
        assert_refused(&refused, &[part]);
        fs::remove_file(data.join(file)).expect("removed");
    }
}
