//! Messages in the words of their readers: alarms that came and went, the day, a test. Plain text, local times with
//! their offset.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use line::{CallType, Severity};
use locales::{Language, filled};
use serde_json::{Value, json};
use upkeep::params;

use catalog::Params;

use crate::events::{Change, Event, Key};
use crate::summary::Summary;
use crate::words::{self, Words};

/// Alarms that one message names; of others it says how many there are.
const MOST_LINES: usize = 100;
/// Characters of why an alarm stands.
const MOST_REASON_CHARACTERS: usize = 500;

/// A message without its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub subject: String,
    pub body: String,
}

/// Who writes, in which language and zone.
#[derive(Clone, Debug)]
pub struct Writer {
    pub language: Language,
    pub zone: Tz,
    /// Of the box.
    pub name: String,
    pub serial: String,
    /// Names of stations by serial number.
    pub stations: HashMap<String, String>,
    /// Microseconds of UTC.
    pub now_us: i64,
}

impl Writer {
    fn say(&self, words: Words, members: Value) -> String {
        filled(self.language.of(words), &params(members))
    }

    /// `2026-11-22 17:05:09 +08:00`
    pub fn time(&self, utc_us: i64) -> String {
        let Some(utc) = DateTime::from_timestamp_micros(utc_us) else { return utc_us.to_string() };
        let text = utc.with_timezone(&self.zone).to_rfc3339_opts(SecondsFormat::Secs, false);
        match (text.get(..10), text.get(11..19), text.get(19..)) {
            (Some(day), Some(time), Some(offset)) => format!("{day} {time} {offset}"),
            _ => text,
        }
    }

    fn head(&self) -> String {
        let members = json!({"name": self.name, "serial": self.serial, "time": self.time(self.now_us)});
        self.say(words::PLATFORM_AND_STATIONS, members)
    }

    fn subject(&self, what: &str) -> String {
        format!("[{}] {what}", self.name)
    }

    fn station(&self, serial: &str) -> String {
        match self.stations.get(serial).filter(|name| !name.is_empty()) {
            Some(name) => format!("{name} {serial}"),
            None => serial.to_owned(),
        }
    }

    /// The kind of alarm: `断线`.
    fn kind(&self, code: &str, members: &Params) -> String {
        let known = self.language.sentence(&["alarm", code, "what"], members);
        known.unwrap_or_else(|| {
            let other = self.language.sentence(&["alarm", "other", "what"], &params(json!({"code": code})));
            other.unwrap_or_else(|| code.to_owned())
        })
    }

    /// As on the pages, behind the station that it is of: `【城中派出所】断线：通道[3]`.
    fn alarm(&self, key: &Key, members: &Params) -> String {
        let what = self.kind(&key.code, members);
        let channel = |port| self.language.sentence(&["alarm_channel"], &params(json!({"port": port})));
        // What a platform says of a station names it by its serial number.
        let thing =
            key.port.and_then(channel).or_else(|| key.thing.as_deref().map(|thing| self.station(thing)));
        let of_thing = thing.and_then(|thing| {
            self.language.sentence(&["alarm_of_thing"], &params(json!({"what": what, "thing": thing})))
        });
        let alarm = of_thing.unwrap_or(what);
        match &key.station {
            Some(serial) => {
                self.say(words::OF_STATION, json!({"station": self.station(serial), "alarm": alarm}))
            }
            None => alarm,
        }
    }

    /// What was found, where the alarm says so: in the pages' words if they have some, else as the box wrote it.
    fn reason(&self, members: &Params) -> Option<String> {
        let code = |member: &str| members.get(member).and_then(Value::as_str);
        let known = match (code("pull"), code("upgrade")) {
            (Some(code), _) => self.language.sentence(&["pull_trouble", code], members),
            (None, Some(code)) => self.language.sentence(&["problem", code], members),
            (None, None) => None,
        };
        let reason = known.or_else(|| code("detail").map(str::to_owned));
        // What a station says of itself is one line here, whatever it is there.
        reason.map(|reason| {
            reason.chars().take(MOST_REASON_CHARACTERS).collect::<String>().replace(['\r', '\n'], " ")
        })
    }

    fn severity(&self, severity: Severity) -> &'static str {
        self.language.word(&["severity", severity.name()]).unwrap_or(severity.name())
    }

    /// What came and went, each alarm in one line; `None` if nothing of it is to be told. `cleared`: also those of
    /// which only the end is news; `older`: there were more before.
    pub fn alarms(&self, events: &[&Event], cleared: bool, older: bool) -> Option<Text> {
        let mut lines = lines_of(events);
        lines.retain(|line| cleared || line.raised.is_some());
        // The worst first; of equals in the order in which they came.
        lines.sort_by_key(|line| std::cmp::Reverse(line.raised.map(|(severity, _, _)| severity)));
        let (standing, over): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.cleared_us.is_none());
        let what = match (&standing[..], &over[..]) {
            ([], []) => return None,
            ([one], []) => self.say(words::ONE_RAISED, json!({"alarm": self.alarm(one.key, one.params())})),
            ([], [one]) => self.say(words::ONE_CLEARED, json!({"alarm": self.alarm(one.key, one.params())})),
            _ => self.say(words::MANY, json!({"standing": standing.len(), "over": over.len()})),
        };
        let mut body = vec![self.head()];
        for (title, lines) in [(words::STANDING, &standing), (words::OVER, &over)] {
            if !lines.is_empty() {
                body.push(String::new());
                body.push(self.say(title, json!({"count": lines.len()})));
                body.extend(lines.iter().take(MOST_LINES).map(|line| self.line(line)));
            }
            if lines.len() > MOST_LINES {
                body.push(self.say(words::LEFT_OUT, json!({"count": lines.len() - MOST_LINES})));
            }
        }
        if older {
            body.extend([String::new(), self.say(words::OLDER_LEFT_OUT, json!({}))]);
        }
        Some(Text { subject: self.subject(&what), body: finished(body) })
    }

    fn line(&self, line: &Line<'_>) -> String {
        let mut text = String::from("- ");
        if let Some((severity, _, _)) = line.raised {
            text.extend([self.severity(severity), " "]);
        }
        text += &self.alarm(line.key, line.params());
        let raised = line.raised.map(|(_, _, raised_us)| self.time(raised_us));
        let cleared = line.cleared_us.map(|cleared_us| self.time(cleared_us));
        text += "\n  ";
        text += &match (raised, cleared) {
            (Some(raised), None) => self.say(words::SINCE, json!({"time": raised})),
            (Some(raised), Some(cleared)) => {
                self.say(words::FROM_UNTIL, json!({"from": raised, "time": cleared}))
            }
            (None, cleared) => self.say(words::UNTIL, json!({"time": cleared})),
        };
        if line.times > 1 {
            text += &format!(", {}", self.say(words::TIMES, json!({"count": line.times})));
        }
        if let Some(reason) = self.reason(line.params()).filter(|_| line.cleared_us.is_none()) {
            text += &format!("\n  {reason}");
        }
        let advice = self.language.sentence(&["alarm", &line.key.code, "do"], line.params());
        if let Some(advice) = advice.filter(|_| line.cleared_us.is_none()) {
            text += &format!("\n  {advice}");
        }
        text
    }

    pub fn summary(&self, summary: &Summary) -> Text {
        let mut body = vec![self.head()];
        let period = json!({"from": self.time(summary.from_us), "time": self.time(summary.to_us)});
        body.push(format!("{}: {}", self.language.of(words::SUMMARY), self.say(words::FROM_UNTIL, period)));
        body.push(String::new());

        let mut calls = summary.calls.clone();
        let tally = |words, tally: catalog::Tally, name: &str| {
            let duration = hours(tally.duration_ms);
            self.say(words, json!({"count": tally.count, "duration": duration, "type": name}))
        };
        body.push(tally(words::RECORDINGS, calls.total(), ""));
        for call_type in CallType::ALL {
            let name = self.language.word(&["call_type", call_type.name()]).unwrap_or(call_type.name());
            body.push(tally(words::OF_TYPE, *calls.of(*call_type), name));
        }
        body.push(String::new());

        let raised: u64 = summary.raised.values().sum();
        body.push(self.say(words::ALARMS_OF_DAY, json!({"count": raised})));
        body.extend(summary.raised.iter().map(|(code, count)| {
            let alarm = self.kind(code, &Params::new());
            self.say(words::ALARMS_OF_KIND, json!({"alarm": alarm, "count": count}))
        }));
        if summary.standing.is_empty() {
            body.push(self.language.of(words::NONE_STANDING).to_owned());
        } else {
            body.push(self.say(words::NOW_STANDING, json!({"count": summary.standing_count})));
            body.extend(
                summary.standing.iter().map(|(key, members)| format!("  {}", self.alarm(key, members))),
            );
        }
        if let Some(offline) = &summary.offline {
            body.push(String::new());
            if offline.is_empty() {
                body.push(self.language.of(words::NONE_OFFLINE).to_owned());
            } else {
                body.push(self.say(words::OFFLINE, json!({"count": offline.len()})));
                body.extend(
                    offline.iter().take(MOST_LINES).map(|serial| format!("  {}", self.station(serial))),
                );
            }
        }
        if let Some(space) = summary.disk {
            let gigabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e9);
            let percent = 100.0 * space.free_bytes as f64 / (space.total_bytes as f64).max(1.0);
            body.push(String::new());
            body.push(self.say(
                words::DISK,
                json!({"free": gigabytes(space.free_bytes), "total": gigabytes(space.total_bytes),
                    "percent": format!("{percent:.1}")}),
            ));
        }
        Text { subject: self.subject(self.language.of(words::SUMMARY)), body: finished(body) }
    }

    /// What a person typed to see whether it arrives.
    pub fn test(&self, typed: &str) -> Text {
        let what = self.language.of(words::TEST);
        let body = vec![self.head(), String::new(), typed.to_owned()];
        Text { subject: self.subject(what), body: finished(body) }
    }
}

fn finished(lines: Vec<String>) -> String {
    lines.join("\n") + "\n"
}

/// `12:03:04`
fn hours(duration_ms: u64) -> String {
    let seconds = duration_ms / 1000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// What became of one alarm.
struct Line<'a> {
    key: &'a Key,
    /// Its first raising that is news: severity, parameters, time.
    raised: Option<(Severity, &'a Params, i64)>,
    /// It is over.
    cleared_us: Option<i64>,
    times: u32,
}

static NO_PARAMS: std::sync::LazyLock<Params> = std::sync::LazyLock::new(Params::new);

impl Line<'_> {
    fn params(&self) -> &Params {
        self.raised.map_or(&NO_PARAMS, |(_, params, _)| params)
    }
}

fn lines_of<'a>(events: &[&'a Event]) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    let mut places: BTreeMap<&'a Key, usize> = BTreeMap::new();
    for event in events {
        let place = *places.entry(&event.key).or_insert_with(|| {
            lines.push(Line { key: &event.key, raised: None, cleared_us: None, times: 0 });
            lines.len() - 1
        });
        let Some(line) = lines.get_mut(place) else { continue };
        match &event.change {
            Change::Raised { severity, params } => {
                line.raised = line.raised.or(Some((*severity, params, event.at_us)));
                line.cleared_us = None;
                line.times += 1;
            }
            Change::Cleared => line.cleared_us = Some(event.at_us),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// 2026-11-22 17:00:00 +08:00
    const NOON_US: i64 = 1_795_338_000_000_000;

    fn writer(language: Language) -> Writer {
        Writer {
            language,
            zone: Tz::Asia__Shanghai,
            name: "Duty room".into(),
            serial: "HKLN-1".into(),
            stations: [("HKLN-2".to_owned(), "城中".to_owned())].into(),
            now_us: NOON_US,
        }
    }

    fn event(sequence: u64, code: &str, station: Option<&str>, raised: bool) -> Event {
        let key = Key { station: station.map(str::to_owned), code: code.into(), port: Some(3), thing: None };
        let change = match raised {
            true => Change::Raised { severity: Severity::Critical, params: Params::new() },
            false => Change::Cleared,
        };
        let at_us = NOON_US + sequence as i64 * 1_000_000;
        Event { sequence, key, change, at_us, noticed: Instant::now() }
    }

    #[test]
    fn an_alarm_says_why_in_the_readers_language_if_it_says_why() {
        let body = |language, members: Value| {
            let mut raised = event(5, "synchronisation_failed", None, true);
            raised.change = Change::Raised { severity: Severity::Minor, params: params(members) };
            writer(language).alarms(&[&raised], true, false).expect("news").body
        };
        let wrong = json!({"pull": "token_wrong", "detail": "the station does not"});
        assert!(body(Language::Simplified, wrong.clone()).contains("\n  设备不接受该安全码"));
        assert!(body(Language::English, wrong).contains("\n  The station does not accept the security code"));
        let own = json!({"pull": "of_a_newer_release", "detail": "entry 7\nis broken"});
        assert!(body(Language::English, own).contains("\n  entry 7 is broken\n"));
        let long = body(Language::English, json!({"detail": "x".repeat(5000)}));
        assert!(long.contains(&"x".repeat(500)) && long.len() < 2000);
        let upgrade = json!({"upgrade": "not_for_this_box", "detail": "it is for x"});
        assert!(body(Language::Simplified, upgrade).contains("不适用于此设备"));
        assert!(!body(Language::English, json!({"detail": null})).contains("null"));
    }

    #[test]
    fn an_alarm_is_told_as_the_pages_tell_it_with_its_station_and_local_time() {
        let raised = event(5, "line_lost", Some("HKLN-2"), true);
        let text = writer(Language::Simplified).alarms(&[&raised], true, false).expect("news");
        assert_eq!(text.subject, "[Duty room] 【城中 HKLN-2】断线：通道[3]");
        assert!(text.body.starts_with("Duty room（HKLN-1），2026-11-22 17:00:00 +08:00\n"), "{}", text.body);
        assert!(
            text.body.contains("- 严重 【城中 HKLN-2】断线：通道[3]\n  开始于 2026-11-22 17:00:05 +08:00"),
            "{}",
            text.body
        );
        let english = writer(Language::English).alarms(&[&raised], true, false).expect("news");
        assert_eq!(english.subject, "[Duty room] 城中 HKLN-2: Line lost: channel [3]");
        let mut offline = event(5, "station_offline", None, true);
        (offline.key.port, offline.key.thing) = (None, Some("HKLN-2".into()));
        let text = writer(Language::English).alarms(&[&offline], true, false).expect("news");
        assert_eq!(text.subject, "[Duty room] Station offline: 城中 HKLN-2");
        let unknown = event(5, "of_mars", None, true);
        let text = writer(Language::Traditional).alarms(&[&unknown], true, false).expect("news");
        assert!(text.subject.contains("of_mars"), "{}", text.subject);
    }

    #[test]
    fn an_alarm_that_came_and_went_many_times_is_one_line() {
        let all: Vec<Event> = (0..20).map(|n| event(n, "line_lost", None, n % 2 == 0)).collect();
        let text =
            writer(Language::English).alarms(&all.iter().collect::<Vec<_>>(), true, false).expect("news");
        assert_eq!(text.subject, "[Duty room] Cleared: Line lost: channel [3]");
        let line = "- Critical Line lost: channel [3]\n  2026-11-22 17:00:00 +08:00 to 2026-11-22 17:00:19 +08:00, 10 times\n";
        assert!(text.body.ends_with(line), "{}", text.body);
    }

    #[test]
    fn a_storm_is_one_message_of_a_bounded_length() {
        let all: Vec<Event> = (0..5000)
            .map(|n| {
                let mut one = event(n, "line_lost", None, true);
                one.key.port = Some(n as u16);
                one
            })
            .collect();
        let text =
            writer(Language::English).alarms(&all.iter().collect::<Vec<_>>(), true, true).expect("news");
        assert_eq!(text.subject, "[Duty room] 5000 alarms, 0 cleared");
        assert!(text.body.contains("4900 more") && text.body.contains("Older ones"), "{}", text.body);
        assert!(text.body.len() < 30_000);
    }

    #[test]
    fn clearings_alone_are_told_only_to_those_who_want_them() {
        let cleared = event(1, "line_lost", None, false);
        assert!(writer(Language::English).alarms(&[&cleared], false, false).is_none());
        let text = writer(Language::English).alarms(&[&cleared], true, false).expect("news");
        assert!(text.body.contains("cleared 2026-11-22 17:00:01 +08:00"), "{}", text.body);
    }

    #[test]
    fn every_sentence_has_the_same_parameters_in_every_language() {
        let names = |text: &str| {
            let mut names: Vec<String> =
                text.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0.to_owned())).collect();
            names.sort();
            names
        };
        for all in [
            words::PLATFORM_AND_STATIONS,
            words::ONE_RAISED,
            words::ONE_CLEARED,
            words::MANY,
            words::STANDING,
            words::OVER,
            words::OF_STATION,
            words::SINCE,
            words::UNTIL,
            words::FROM_UNTIL,
            words::TIMES,
            words::LEFT_OUT,
            words::OLDER_LEFT_OUT,
            words::SUMMARY,
            words::RECORDINGS,
            words::OF_TYPE,
            words::ALARMS_OF_DAY,
            words::ALARMS_OF_KIND,
            words::NOW_STANDING,
            words::NONE_STANDING,
            words::OFFLINE,
            words::NONE_OFFLINE,
            words::DISK,
            words::TEST,
        ] {
            assert!(names(all[0]) == names(all[2]) && names(all[1]) == names(all[2]), "{all:?}");
        }
    }
}
