//! A platform that comes of its own, to a box that does not dial.

use std::time::Duration;

use hookline_station::{LinkState, Station};
use serde_json::json;
use tokio::net::TcpStream;

use crate::house::{
    Platform, TestBox, assert_all_there_once, change_link, link, lock, wait_for, wait_for_records,
    wait_until, wait_until_all_arrived,
};

/// A stream between them, as the station's pages hand one over: it lives on another runtime than the station's own.
fn ask(platform: &Platform, station: &Station) {
    let stream = platform.run_future(TcpStream::connect(platform.address)).expect("connected");
    station.be_asked(stream, "192.0.2.7");
}

fn visits(platform: &Platform) -> usize {
    lock(&platform.kept.hellos).len()
}

#[test]
fn a_box_that_is_asked_sends_everything_and_never_dials() {
    let (test_box, mut platform) = (TestBox::new(), Platform::start());
    let station = test_box.start();
    platform.register(&station);
    change_link(&station, json!({"address": platform.address.to_string()}));
    assert_eq!(station.platform_link().token_made_us, None);
    let token = station.make_pull_token().expect("made");
    assert!(station.is_pull_token(&token) && !station.is_pull_token("x"));

    ask(&platform, &station);
    wait_for(&station, LinkState::NotPinned);
    let offered = station.platform_link().offered.expect("shown until it is accepted");
    change_link(&station, json!({"fingerprint": offered}));
    wait_for(&station, LinkState::Off);
    assert_eq!((offered, visits(&platform)), (platform.key.fingerprint(), 0));

    ask(&platform, &station);
    wait_for(&station, LinkState::Connected);
    wait_for_records(&station, 6);
    platform = platform.restart();
    wait_for(&station, LinkState::Off);
    let now = station.platform_link();
    assert!(now.trouble.is_none() && now.last_asked_us.is_some(), "it comes again when it likes");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(visits(&platform), 1);
    station.stop().expect("it stops");
    drop(station);

    let station = test_box.start_idle();
    ask(&platform, &station);
    wait_until_all_arrived(&station);
    assert_all_there_once(&station, &platform);
    // A new token ends what came by the former one.
    assert!(station.make_pull_token().expect("made") != token && !station.is_pull_token(&token));
    wait_for(&station, LinkState::Off);
    assert!(station.remove_pull_token().expect("removed") && !station.remove_pull_token().expect("none"));
    assert_eq!((visits(&platform), station.platform_link().token_made_us), (2, None));
    station.stop().expect("it stops");
}

#[test]
fn a_box_that_dials_as_well_has_one_connection_and_sends_each_thing_once() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = test_box.start();
    platform.register(&station);
    link(&station, &platform, platform.address);
    wait_for(&station, LinkState::Connected);
    for visit in 1..=5 {
        wait_for_records(&station, 3 * visit);
        let before = visits(&platform);
        ask(&platform, &station);
        wait_until("the newer connection stands", || {
            visits(&platform) > before && station.platform_link().state == LinkState::Connected
        });
    }
    // The fifth visit goes on; when it ends, the station dials again at once.
    let stayed = visits(&platform);
    assert_eq!(stayed, 6);
    station.make_pull_token().expect("made");
    wait_until("it has dialled", || visits(&platform) == 7);
    station.stop().expect("it stops");
    drop(station);
    let station = test_box.start_idle();
    wait_until_all_arrived(&station);
    assert_all_there_once(&station, &platform);
    station.stop().expect("it stops");
}
