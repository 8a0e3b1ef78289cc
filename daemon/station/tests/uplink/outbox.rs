//! The outbox folder deleted, damaged, replaced, or kept from an older day: the next start puts it right.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;

use hookline_station::Station;

use crate::house::{
    Platform, TestBox, assert_all_there_once, change_link, connected, lock, wait_for_records, wait_until,
    wait_until_all_arrived,
};
use serde_json::json;

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).expect("a folder");
    for file in fs::read_dir(from).expect("there").flatten() {
        if file.file_type().is_ok_and(|kind| kind.is_file()) {
            fs::copy(file.path(), to.join(file.file_name())).expect("copied");
        }
    }
}

/// A box of which some recordings have arrived and some are waiting, with outboxes of two days beside it.
fn half_way(test_box: &TestBox, platform: &Platform) -> Station {
    let station = connected(test_box, platform);
    wait_for_records(&station, 4);
    wait_until("some have arrived", || lock(&platform.kept.items).len() >= 4);
    platform.kept.full.store(true, SeqCst);
    wait_for_records(&station, 10);
    station.stop().expect("it stops");
    copy(&test_box.data().join("outbox"), &test_box.folder.path().join("older day"));
    station
}

#[track_caller]
fn comes_right(test_box: &TestBox, platform: &Platform) {
    let station = test_box.start_idle();
    wait_until("something waits", || station.platform_link().waiting > 0);
    platform.kept.full.store(false, SeqCst);
    wait_until_all_arrived(&station);
    assert_all_there_once(&station, platform);
    station.stop().expect("it stops");
}

#[test]
fn a_folder_that_was_deleted_or_replaced_by_a_file_is_made_anew() {
    for damage in ["deleted", "a file", "empty"] {
        let (test_box, platform) = (TestBox::new(), Platform::start());
        drop(half_way(&test_box, &platform));
        let folder = test_box.data().join("outbox");
        fs::remove_dir_all(&folder).expect("deleted");
        match damage {
            "a file" => fs::write(&folder, "not a folder").expect("written"),
            "empty" => fs::create_dir(&folder).expect("made"),
            _ => {}
        }
        comes_right(&test_box, &platform);
        assert!(folder.join("db").exists(), "{damage}");
    }
}

#[test]
fn a_damaged_folder_is_made_anew() {
    for round in 0..4 {
        let (test_box, platform) = (TestBox::new(), Platform::start());
        drop(half_way(&test_box, &platform));
        let file = test_box.data().join(if round == 3 { "outbox/conf" } else { "outbox/db" });
        let mut bytes = fs::read(&file).expect("read");
        match round {
            0 => bytes.truncate(bytes.len() / 3),
            1 => bytes.iter_mut().step_by(7).for_each(|byte| *byte ^= 0x5a),
            2 => bytes.fill_with(|| fastrand::u8(..)),
            _ => bytes.clear(),
        }
        fs::write(&file, bytes).expect("damaged");
        comes_right(&test_box, &platform);
    }
}

#[test]
fn a_folder_of_an_older_day_is_brought_up_to_the_journal() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    drop(half_way(&test_box, &platform));
    platform.kept.full.store(false, SeqCst);
    // Another day: everything arrives, and more is recorded.
    let station = test_box.start();
    wait_for_records(&station, 14);
    wait_until("they have arrived", || lock(&platform.kept.items).len() >= 14);
    platform.kept.full.store(true, SeqCst);
    wait_for_records(&station, 20);
    station.stop().expect("it stops");
    drop(station);
    let offers = platform.kept.offers.load(SeqCst);
    copy(&test_box.folder.path().join("older day"), &test_box.data().join("outbox"));
    comes_right(&test_box, &platform);
    let again = platform.kept.offers.load(SeqCst) - offers;
    assert!(again < 40, "{again} offers: what was acknowledged is not offered again");
}

#[test]
fn a_folder_of_another_box_does_no_harm() {
    let (other_box, other_platform) = (TestBox::new(), Platform::start());
    drop(half_way(&other_box, &other_platform));
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = test_box.start();
    platform.register(&station);
    change_link(
        &station,
        json!({
            "address": platform.address.to_string(), "fingerprint": platform.key.fingerprint(),
        }),
    );
    wait_for_records(&station, 4);
    station.stop().expect("it stops");
    drop(station);
    copy(&other_box.data().join("outbox"), &test_box.data().join("outbox"));
    let settings = test_box.data().join("settings/platform.toml");
    let text = fs::read_to_string(&settings).expect("read").replace("false", "true");
    fs::write(settings, text).expect("written");
    comes_right(&test_box, &platform);
}
