//! What a driver tells of its unit, kept rare: losses are added up for a second, a complaint is made once in ten seconds
//! a kind, and an absence once until it ends or has another reason.

use crate::{LossCause, News, UnitFault, UnitIdentity, UnitNews};

const LOSSES_EVERY_US: i64 = 1_000_000;
const COMPLAINT_EVERY_US: i64 = 10_000_000;

pub struct Report {
    news: News,
    absent: Option<UnitFault>,
    /// When each kind of complaint was made last, monotonic.
    complaints: Vec<(&'static str, i64)>,
    /// Not told yet.
    losses: Vec<(LossCause, u64)>,
    losses_told_us: i64,
}

impl Report {
    pub fn new(news: News) -> Self {
        Self { news, absent: None, complaints: Vec::new(), losses: Vec::new(), losses_told_us: i64::MIN }
    }

    // Nobody listens any more only when the station ends.
    fn tell(&self, news: UnitNews) {
        let _ = self.news.send(news);
    }

    pub fn present(&mut self, identity: UnitIdentity) {
        self.absent = None;
        self.tell(UnitNews::Present(identity));
    }

    /// A unit that was unplugged is not found from then on, which is no news.
    pub fn absent(&mut self, fault: UnitFault) {
        let known = self
            .absent
            .as_ref()
            .is_some_and(|told| *told == fault || (told.code == "unplugged" && fault.code == "not_found"));
        if !known {
            self.absent = Some(fault.clone());
            self.tell(UnitNews::Absent(fault));
        }
    }

    /// `make` is called when this kind is due to be told.
    pub fn complain(&mut self, code: &'static str, now_us: i64, make: impl FnOnce() -> UnitFault) {
        match self.complaints.iter_mut().find(|(told, _)| *told == code) {
            Some((_, at_us)) if now_us - *at_us < COMPLAINT_EVERY_US => return,
            Some((_, at_us)) => *at_us = now_us,
            None => self.complaints.push((code, now_us)),
        }
        self.tell(UnitNews::Defect(make()));
    }

    pub fn lost(&mut self, samples: u64, cause: LossCause) {
        match self.losses.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, sum)) => *sum += samples,
            None => self.losses.push((cause, samples)),
        }
    }

    /// Tells losses that are due.
    pub fn turn(&mut self, now_us: i64) {
        if now_us.saturating_sub(self.losses_told_us) >= LOSSES_EVERY_US {
            self.flush(now_us);
        }
    }

    /// Tells all losses.
    pub fn flush(&mut self, now_us: i64) {
        for (cause, samples) in &mut self.losses {
            if *samples > 0 {
                let _ = self.news.send(UnitNews::Lost { samples: std::mem::take(samples), cause: *cause });
                self.losses_told_us = now_us;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn report() -> (Report, Receiver<UnitNews>) {
        let (news, told) = channel();
        (Report::new(news), told)
    }

    fn fault(code: &'static str) -> UnitFault {
        UnitFault { code, sentence: code.to_owned() }
    }

    #[test]
    fn losses_are_added_up_for_a_second() {
        let (mut report, told) = report();
        report.lost(80, LossCause::Packet);
        report.turn(0);
        for turn in 1..100 {
            report.lost(80, LossCause::Packet);
            report.turn(turn * 10_000);
        }
        report.lost(1, LossCause::UnitOverflow);
        report.turn(1_000_000);
        let lost = |samples, cause| UnitNews::Lost { samples, cause };
        let expected =
            [lost(80, LossCause::Packet), lost(99 * 80, LossCause::Packet), lost(1, LossCause::UnitOverflow)];
        assert_eq!(told.try_iter().collect::<Vec<_>>(), expected);
        report.turn(9_000_000);
        assert_eq!(told.try_iter().count(), 0);
    }

    #[test]
    fn a_complaint_is_made_once_in_ten_seconds_a_kind() {
        let (mut report, told) = report();
        for turn in 0..2000 {
            report.complain("size", turn * 10_000, || fault("size"));
            report.complain("magic", turn * 10_000, || fault("magic"));
        }
        assert_eq!(told.try_iter().count(), 4);
    }

    #[test]
    fn an_absence_is_told_until_it_has_another_reason() {
        let (mut report, told) = report();
        for code in ["unplugged", "not_found", "not_found", "not_allowed", "not_allowed", "not_found"] {
            report.absent(fault(code));
        }
        let codes: Vec<_> = told
            .try_iter()
            .map(|news| match news {
                UnitNews::Absent(fault) => fault.code,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(codes, ["unplugged", "not_allowed", "not_found"]);
    }
}
