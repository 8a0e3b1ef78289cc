//! When which station is asked: on its interval after a success, sooner after a failure, and only a few at once. Knows no
//! network and no clock: the time is given.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use uplink::Retry;

/// Between tries that fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pauses {
    /// After the first failure; doubled with each further one.
    pub first: Duration,
    /// And while a person has to change something.
    pub longest: Duration,
}

/// What is to be done with a station, as far as the plan goes.
#[derive(Debug)]
struct Course {
    every: Duration,
    due: Instant,
    failures: u32,
    /// A person wants it now.
    asked: bool,
    running: bool,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pauses: Pauses,
    /// Stations that are asked at the same time, at most.
    at_once: usize,
    courses: BTreeMap<String, Course>,
}

impl Plan {
    pub fn new(pauses: Pauses, at_once: usize) -> Self {
        Self { pauses, at_once, courses: BTreeMap::new() }
    }

    pub fn knows(&self, serial: &str) -> bool {
        self.courses.contains_key(serial)
    }

    /// A station is to be asked every `every`; `last` ago it was, if it was ever.
    pub fn begin(&mut self, serial: &str, every: Duration, last: Option<Duration>, now: Instant) {
        let due = now + last.map_or(Duration::ZERO, |last| every.saturating_sub(last));
        let course = Course { every, due, failures: 0, asked: false, running: false };
        self.courses.insert(serial.to_owned(), course);
    }

    /// Its settings are others now: whoever changed them wants to see whether they work.
    pub fn changed(&mut self, serial: &str, every: Duration, now: Instant) {
        if let Some(course) = self.courses.get_mut(serial) {
            (course.every, course.due, course.failures) = (every, now, 0);
        }
    }

    pub fn forget(&mut self, serial: &str) {
        self.courses.remove(serial);
    }

    /// `false`: it is not one that is asked.
    pub fn ask(&mut self, serial: &str, now: Instant) -> bool {
        let Some(course) = self.courses.get_mut(serial) else { return false };
        if !course.running {
            (course.asked, course.due) = (true, now);
        }
        true
    }

    /// Stations whose time has come, the longest overdue first and those that a person asked for before all, and which
    /// these are; each is running from now on. `may` says of one, and whether it was asked for, if it can be visited now.
    pub fn take_due(&mut self, now: Instant, may: impl Fn(&str, bool) -> bool) -> Vec<(String, bool)> {
        let running = self.courses.values().filter(|course| course.running).count();
        let mut due: Vec<(bool, Instant, &String)> = self
            .courses
            .iter()
            .filter(|(serial, course)| {
                !course.running && course.due <= now && may(serial.as_str(), course.asked)
            })
            .map(|(serial, course)| (!course.asked, course.due, serial))
            .collect();
        due.sort();
        let room = self.at_once.saturating_sub(running);
        let taken: Vec<(String, bool)> =
            due.into_iter().take(room).map(|(unasked, _, serial)| (serial.clone(), !unasked)).collect();
        for (serial, _) in &taken {
            if let Some(course) = self.courses.get_mut(serial) {
                (course.running, course.asked) = (true, false);
            }
        }
        taken
    }

    /// How many could be visited now if there were room.
    pub fn waiting(&self, now: Instant, may: impl Fn(&str, bool) -> bool) -> usize {
        let waits = |(serial, course): &(&String, &Course)| {
            !course.running && course.due <= now && may(serial.as_str(), course.asked)
        };
        self.courses.iter().filter(waits).count()
    }

    /// Everything of it is here.
    pub fn succeeded(&mut self, serial: &str, now: Instant) {
        if let Some(course) = self.courses.get_mut(serial) {
            (course.running, course.asked, course.failures) = (false, false, 0);
            course.due = now + course.every;
        }
    }

    /// It could not be ended, and is no failure: it goes on as soon as it may.
    pub fn put_off(&mut self, serial: &str, now: Instant) {
        if let Some(course) = self.courses.get_mut(serial) {
            (course.running, course.due) = (false, now);
        }
    }

    pub fn failed(&mut self, serial: &str, retry: Retry, now: Instant) {
        let Some(course) = self.courses.get_mut(serial) else { return };
        let longest = self.pauses.longest.min(course.every);
        let doubled = self.pauses.first.saturating_mul(1 << course.failures.min(16)).min(longest);
        let pause = match retry {
            Retry::Soon => doubled,
            Retry::After(least) => doubled.max(least),
            Retry::WhenChanged => longest,
        };
        course.failures = course.failures.saturating_add(1);
        course.running = false;
        course.due = now + pause;
    }

    /// When it is due, or was.
    pub fn due(&self, serial: &str) -> Option<Instant> {
        Some(self.courses.get(serial)?.due)
    }

    pub fn is_due(&self, serial: &str, now: Instant) -> bool {
        self.courses.get(serial).is_some_and(|course| !course.running && course.due <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: usize = 8;
    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    fn plan() -> Plan {
        Plan::new(Pauses { first: MINUTE, longest: HOUR }, AT_ONCE)
    }

    fn due(plan: &mut Plan, now: Instant) -> Vec<String> {
        plan.take_due(now, |_, _| true).into_iter().map(|(serial, _)| serial).collect()
    }

    fn left(plan: &Plan, serial: &str, now: Instant) -> Option<Duration> {
        plan.due(serial).map(|due| due.saturating_duration_since(now))
    }

    #[test]
    fn a_station_is_asked_at_once_and_then_on_its_interval() {
        let (mut plan, start) = (plan(), Instant::now());
        plan.begin("a", 4 * HOUR, None, start);
        assert_eq!(due(&mut plan, start), ["a"]);
        assert!(due(&mut plan, start + 9 * HOUR).is_empty(), "it is under way");
        let end = start + 3 * MINUTE;
        plan.succeeded("a", end);
        assert_eq!(left(&plan, "a", end + HOUR), Some(3 * HOUR));
        assert!(due(&mut plan, end + 4 * HOUR - MINUTE).is_empty());
        assert_eq!(due(&mut plan, end + 4 * HOUR), ["a"]);
    }

    #[test]
    fn after_a_restart_the_interval_goes_on_from_the_last_success() {
        let (mut plan, start) = (plan(), Instant::now());
        plan.begin("a", 24 * HOUR, Some(20 * HOUR), start);
        plan.begin("b", 24 * HOUR, Some(40 * HOUR), start);
        assert_eq!(due(&mut plan, start), ["b"]);
        assert_eq!(left(&plan, "a", start), Some(4 * HOUR));
    }

    #[test]
    fn pauses_grow_with_failures_and_end_with_a_success_or_a_change() {
        let (mut plan, mut now) = (plan(), Instant::now());
        plan.begin("a", 10 * HOUR, None, now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            assert_eq!(due(&mut plan, now), ["a"]);
            plan.failed("a", Retry::Soon, now);
            let left = left(&plan, "a", now).expect("known");
            pauses.push(left.as_secs() / 60);
            now += left;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        plan.changed("a", 2 * HOUR, now);
        assert_eq!(due(&mut plan, now), ["a"]);
        plan.failed("a", Retry::After(5 * MINUTE), now);
        assert_eq!(left(&plan, "a", now), Some(5 * MINUTE));
        plan.failed("a", Retry::WhenChanged, now);
        assert_eq!(left(&plan, "a", now), Some(HOUR));
        plan.succeeded("a", now);
        assert_eq!(left(&plan, "a", now), Some(2 * HOUR));
    }

    #[test]
    fn no_pause_is_longer_than_the_interval() {
        let (mut plan, now) =
            (Plan::new(Pauses { first: MINUTE, longest: 5 * HOUR }, AT_ONCE), Instant::now());
        plan.begin("a", HOUR, None, now);
        plan.failed("a", Retry::WhenChanged, now);
        assert_eq!(left(&plan, "a", now), Some(HOUR));
    }

    #[test]
    fn few_are_asked_at_once_and_whom_a_person_wants_first() {
        let (mut plan, start) = (plan(), Instant::now());
        for number in 0..20 {
            plan.begin(&format!("{number:02}"), HOUR, None, start);
        }
        assert!(plan.ask("15", start) && !plan.ask("99", start));
        let first = due(&mut plan, start);
        assert_eq!((first.len(), first[0].as_str(), first[1].as_str()), (AT_ONCE, "15", "00"));
        assert!(due(&mut plan, start).is_empty());
        assert_eq!(plan.waiting(start, |_, _| true), 20 - AT_ONCE);
        plan.succeeded("15", start);
        plan.failed("00", Retry::Soon, start);
        assert_eq!(due(&mut plan, start), ["07", "08"]);
        // One that has to make room goes behind all that wait.
        let later = start + MINUTE;
        plan.put_off("07", later);
        assert_eq!(due(&mut plan, later), ["09"]);
        assert_eq!(plan.waiting(later, |serial, _| serial == "07"), 1);
    }

    #[test]
    fn who_may_not_be_asked_now_stays_due() {
        let (mut plan, now) = (plan(), Instant::now());
        plan.begin("a", HOUR, None, now);
        plan.begin("b", HOUR, None, now);
        plan.ask("b", now);
        assert_eq!(plan.take_due(now, |_, asked| asked), [("b".to_owned(), true)]);
        plan.put_off("b", now);
        assert!(plan.take_due(now, |_, asked| asked).is_empty(), "it was asked for once");
        assert_eq!(plan.take_due(now, |serial, _| serial == "b"), [("b".to_owned(), false)]);
        assert!(plan.is_due("a", now) && !plan.is_due("b", now));
        plan.forget("a");
        assert!(!plan.knows("a") && left(&plan, "a", now).is_none());
    }
}
