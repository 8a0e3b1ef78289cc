//! The outbox against a real journal: whatever happens to it, everything goes up, and what the platform has is known.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use catalog::entry::{AlarmCleared, Name};
use catalog::{Body, Catalog, Contact, Options, Ranges};
use proptest::prelude::*;
use recording::DataDir;
use uplink::order::Lane;

use super::outbox::Outbox;
use super::queue::MOST_IN_LANE;

/// A data folder with a journal, and an outbox that can be closed and opened.
struct TestBox {
    folder: tempfile::TempDir,
    catalog: Catalog,
    data: Arc<DataDir>,
}

impl TestBox {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = Arc::new(DataDir::open(folder.path()).expect("opens"));
        let options = Options::new("HKLN-01121571897162");
        let (catalog, _) = Catalog::open(folder.path(), options).expect("opens");
        Self { folder, catalog, data }
    }

    fn outbox_folder(&self) -> PathBuf {
        self.folder.path().join("outbox")
    }

    fn open(&self) -> Outbox {
        assert!(self.catalog.wait_until_current(Duration::from_secs(10)));
        let folder = self.outbox_folder();
        Outbox::open(folder, self.catalog.clone(), self.data.clone()).expect("opens")
    }

    fn write(&self, bodies: Vec<Body>) -> u64 {
        self.catalog.append_durable(bodies).expect("written").first
    }

    fn known_as_synchronised(&self) -> catalog::Ranges {
        assert!(self.catalog.wait_until_current(Duration::from_secs(10)));
        self.catalog.synchronised().expect("read")
    }
}

fn contact(number: u64) -> Body {
    Body::ContactSet(Contact { number: number.to_string(), name: "x".into(), ..Contact::default() })
}

fn alarm() -> Body {
    Body::AlarmCleared(AlarmCleared { code: "line_lost".into(), port: Some(1), thing: None })
}

fn stays() -> Body {
    Body::AccountRemoved(Name { name: "nobody".into() })
}

/// What a platform knows of a station's journal.
#[derive(Default)]
struct Known {
    covered: Ranges,
}

impl Known {
    fn next(&mut self, outbox: &mut Outbox, lane: Lane) -> Vec<u64> {
        let items = outbox.next(lane, 64).expect("read");
        for item in &items {
            self.covered.insert_range(item.covers_from.unwrap_or(item.item), item.item);
        }
        items.into_iter().map(|item| item.item).collect()
    }

    /// Takes and acknowledges all of a lane.
    fn drain(&mut self, outbox: &mut Outbox, lane: Lane) -> Vec<u64> {
        let mut all = Vec::new();
        loop {
            let items = self.next(outbox, lane);
            if items.is_empty() {
                return all;
            }
            outbox.acknowledged(&items).expect("removed");
            all.extend(items);
        }
    }
}

#[test]
fn what_stays_counts_as_acknowledged_and_what_went_is_known_at_the_next_start() {
    let (a_box, mut platform) = (TestBox::new(), Known::default());
    a_box.write(vec![stays(), contact(1), alarm(), stays(), contact(2)]);
    let mut outbox = a_box.open();
    outbox.connection_begins().expect("read");
    outbox.begin_again();
    assert_eq!(outbox.waiting(), 3);
    assert_eq!(platform.next(&mut outbox, Lane::Fresh), [3]);
    assert_eq!(platform.next(&mut outbox, Lane::Backlog), [2, 5]);
    assert!(platform.next(&mut outbox, Lane::Backlog).is_empty(), "each is given once");
    a_box.write(vec![stays(), contact(3), alarm()]);
    assert_eq!(platform.next(&mut outbox, Lane::Fresh), [7, 8]);
    outbox.acknowledged(&[3, 7]).expect("removed");
    outbox.connection_ended();
    drop(outbox);
    let known = a_box.known_as_synchronised();
    assert!([1, 3, 4, 6, 7].iter().all(|item| known.contains(*item)), "{known:?}");

    let mut outbox = a_box.open();
    outbox.connection_begins().expect("read");
    outbox.begin_again();
    assert_eq!(platform.drain(&mut outbox, Lane::Fresh), [8]);
    assert_eq!(platform.drain(&mut outbox, Lane::Backlog), [2, 5]);
    outbox.connection_ended();
    // The entry that says so is passed when the next connection looks at the journal.
    assert_eq!(platform.drain(&mut outbox, Lane::Fresh), [0; 0]);
    assert_eq!(outbox.waiting(), 0);
    let entries = a_box.catalog.health().journal_sequence;
    outbox.connection_ended();
    assert_eq!(a_box.catalog.health().journal_sequence, entries, "nothing new is nothing to write");
}

#[test]
fn a_backlog_longer_than_the_queue_goes_in_order_and_its_alarms_first() {
    let (a_box, mut platform) = (TestBox::new(), Known::default());
    let many = 2 * MOST_IN_LANE as u64 + 3000;
    let body = |number: u64| if number.is_multiple_of(100) { alarm() } else { contact(number) };
    for chunk in (1..=many).collect::<Vec<_>>().chunks(5000) {
        a_box.write(chunk.iter().map(|number| body(*number)).collect());
    }
    let mut outbox = a_box.open();
    outbox.connection_begins().expect("read");
    outbox.begin_again();
    assert_eq!(outbox.waiting(), many);
    let fresh = a_box.write(vec![alarm(), contact(0)]);
    let alarms: Vec<u64> = (1..=many).filter(|number| number % 100 == 0).chain([fresh, fresh + 1]).collect();
    assert_eq!(platform.drain(&mut outbox, Lane::Fresh), alarms);
    let rest: Vec<u64> = (1..=many).filter(|number| number % 100 != 0).collect();
    let went = platform.drain(&mut outbox, Lane::Backlog);
    assert!(went == rest, "{} of {}, in order or not", went.len(), rest.len());
    outbox.connection_ended();
    platform.drain(&mut outbox, Lane::Fresh);
    assert_eq!(outbox.waiting(), 0);
}

#[test]
fn a_damaged_entry_holds_nothing_up() {
    let (a_box, mut platform) = (TestBox::new(), Known::default());
    a_box.write((1..=9).map(contact).collect());
    let mut outbox = a_box.open();
    outbox.connection_begins().expect("read");
    outbox.begin_again();
    let place = a_box.catalog.journal_tail(4).read(1).expect("read")[0].place;
    let segment = a_box.folder.path().join(format!("journal/{:020}.journal", place.segment));
    let file = fs::File::options().write(true).open(segment).expect("there");
    file.write_all_at(b"~~~~", place.offset + 40).expect("damaged");
    assert_eq!(platform.drain(&mut outbox, Lane::Backlog), [1, 2, 3, 5, 6, 7, 8, 9]);
    outbox.connection_ended();
    platform.drain(&mut outbox, Lane::Fresh);
    assert_eq!(outbox.waiting(), 0);
    drop(outbox);
    fs::remove_dir_all(a_box.outbox_folder()).expect("deleted");
    let mut outbox = a_box.open();
    outbox.connection_begins().expect("read");
    outbox.begin_again();
    assert_eq!((platform.drain(&mut outbox, Lane::Backlog), outbox.waiting()), (Vec::new(), 0));
}

/// A segment that cannot be read for a moment: here a folder, which can be opened as a file and not be read.
#[test]
fn an_entry_that_cannot_be_read_now_is_not_taken_for_sent() {
    let (a_box, mut platform) = (TestBox::new(), Known::default());
    a_box.write((1..=9).map(contact).collect());
    let mut outbox = a_box.open();
    outbox.connection_begins().expect("read");
    outbox.begin_again();
    let first = &a_box.catalog.journal_tail(1).read(1).expect("read")[0];
    outbox.send_again(7, Lane::Backlog, vec![(first.sequence, first.place)]);
    let segment = a_box.folder.path().join(format!("journal/{:020}.journal", first.place.segment));
    let aside = segment.with_extension("aside");
    fs::rename(&segment, &aside).expect("renamed");
    fs::create_dir(&segment).expect("made");
    outbox.next(Lane::Backlog, 64).expect_err("one that was asked for again");
    let again = outbox.take_again();
    outbox.next(Lane::Backlog, 64).expect_err("one that waits");
    outbox.go_on_with(again);
    outbox.begin_again();
    fs::remove_dir(&segment).expect("removed");
    fs::rename(&aside, &segment).expect("renamed");
    assert_eq!(outbox.waiting(), 9);
    assert_eq!(platform.drain(&mut outbox, Lane::Backlog), (1..=9).collect::<Vec<u64>>());
    assert!(outbox.again(7).is_some_and(|again| again.is_done() && again.unreadable == 0));
}

#[test]
fn what_is_asked_for_again_goes_again_and_is_counted() {
    let (a_box, mut platform) = (TestBox::new(), Known::default());
    a_box.write((1..=20).map(contact).collect());
    let mut outbox = a_box.open();
    outbox.connection_begins().expect("read");
    outbox.begin_again();
    let places: VecDeque<_> = a_box.catalog.journal_tail(1).read(20).expect("read").into();
    platform.drain(&mut outbox, Lane::Backlog);
    let again = places.iter().take(12).map(|entry| (entry.sequence, entry.place)).collect();
    outbox.send_again(7, Lane::Backlog, again);
    let first = platform.next(&mut outbox, Lane::Backlog);
    outbox.acknowledged(&first[..3]).expect("removed");
    assert_eq!(outbox.again(7).map(|again| (again.done, again.total)), Some((3, 12)));
    outbox.begin_again();
    platform.drain(&mut outbox, Lane::Backlog);
    assert!(outbox.again(7).is_some_and(|again| again.is_done()));
    outbox.forget_again(7);
    assert!(outbox.again(7).is_none());
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).expect("a folder");
    for file in fs::read_dir(from).expect("there").flatten().filter(|file| file.path().is_file()) {
        fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
}

/// What can happen to an outbox.
#[derive(Clone, Debug)]
enum Step {
    Contacts(u8),
    Alarms(u8),
    Stays(u8),
    Next(Lane),
    /// Of those under way, the first so many.
    Acknowledge(usize),
    Hold,
    Reconnect,
    /// Closed in order, or as by a power cut.
    Reopen {
        told: bool,
    },
    Delete,
    KeepCopy,
    PutCopyBack,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1u8..20).prop_map(Step::Contacts),
        2 => (1u8..5).prop_map(Step::Alarms),
        1 => (1u8..5).prop_map(Step::Stays),
        6 => prop_oneof![Just(Lane::Fresh), Just(Lane::Backlog)].prop_map(Step::Next),
        5 => (0usize..20).prop_map(Step::Acknowledge),
        1 => Just(Step::Hold),
        1 => Just(Step::Reconnect),
        1 => any::<bool>().prop_map(|told| Step::Reopen { told }),
        1 => Just(Step::Delete),
        1 => Just(Step::KeepCopy),
        1 => Just(Step::PutCopyBack),
    ]
}

fn reopened(a_box: &TestBox) -> Outbox {
    let mut outbox = a_box.open();
    outbox.connection_begins().expect("read");
    outbox.begin_again();
    outbox
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_happens_everything_goes_up(steps in prop::collection::vec(step(), 1..60)) {
        let (a_box, mut platform) = (TestBox::new(), Known::default());
        let older = a_box.folder.path().join("older");
        let mut goes = BTreeSet::new();
        let (mut has, mut under_way, mut offered) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        let mut outbox = Some(reopened(&a_box));
        for step in steps {
            let open = outbox.as_mut().expect("it is open");
            match step {
                Step::Contacts(count) => {
                    let first = a_box.write((0..count.into()).map(contact).collect());
                    goes.extend(first..first + u64::from(count));
                }
                Step::Alarms(count) => {
                    let first = a_box.write((0..count).map(|_| alarm()).collect());
                    goes.extend(first..first + u64::from(count));
                }
                Step::Stays(count) => drop(a_box.write((0..count).map(|_| stays()).collect())),
                Step::Next(lane) => {
                    let items = platform.next(open, lane);
                    offered.extend(items.iter().copied());
                    let spans = platform.covered.iter().flat_map(|(first, last)| first..=last);
                    let covered: BTreeSet<u64> = spans.filter(|entry| goes.contains(entry)).collect();
                    prop_assert!(covered.is_subset(&offered), "what goes is covered by itself only");
                    for item in items {
                        prop_assert!(goes.contains(&item), "{item} stays on the box");
                        prop_assert!(!under_way.contains(&item), "{item} is under way");
                        under_way.push(item);
                    }
                }
                Step::Acknowledge(count) => {
                    let items: Vec<u64> = under_way.drain(..count.min(under_way.len())).collect();
                    open.acknowledged(&items).expect("removed");
                    has.extend(items);
                }
                Step::Hold => {
                    under_way.clear();
                    open.begin_again();
                }
                Step::Reconnect => {
                    under_way.clear();
                    open.connection_ended();
                    open.connection_begins().expect("read");
                    open.begin_again();
                }
                Step::Reopen { told } => {
                    if told {
                        open.connection_ended();
                    }
                    under_way.clear();
                    drop(outbox.take());
                    outbox = Some(reopened(&a_box));
                }
                Step::Delete | Step::KeepCopy | Step::PutCopyBack => {
                    under_way.clear();
                    drop(outbox.take());
                    match step {
                        Step::KeepCopy => copy(&a_box.outbox_folder(), &older),
                        Step::PutCopyBack if older.exists() => copy(&older, &a_box.outbox_folder()),
                        _ => fs::remove_dir_all(a_box.outbox_folder()).expect("deleted"),
                    }
                    outbox = Some(reopened(&a_box));
                }
            }
        }
        let mut outbox = outbox.expect("it is open");
        has.extend(under_way.iter().copied());
        outbox.acknowledged(&under_way).expect("removed");
        for lane in [Lane::Fresh, Lane::Backlog] {
            has.extend(platform.drain(&mut outbox, lane));
        }
        prop_assert_eq!(&has, &goes, "everything that goes has gone");
        if let Some(last) = goes.last() {
            prop_assert_eq!(platform.covered.first_missing(), last + 1, "no holes are left in what it knows");
        }
        outbox.connection_ended();
        platform.drain(&mut outbox, Lane::Fresh);
        platform.drain(&mut outbox, Lane::Backlog);
        prop_assert_eq!(outbox.waiting(), 0);
        let known = a_box.known_as_synchronised();
        prop_assert!(goes.iter().all(|item| known.contains(*item)));
        drop(outbox);
        let mut outbox = reopened(&a_box);
        prop_assert_eq!(platform.drain(&mut outbox, Lane::Fresh), Vec::<u64>::new());
        prop_assert_eq!(platform.drain(&mut outbox, Lane::Backlog), Vec::<u64>::new());
    }
}
