//! What the clock does, hour by hour. The first is the figure of the README.

use super::super::discipline::StepWanted;
use super::super::source::Verdict;
use super::*;

const YEAR_US: i64 = 31_536_000_000_000;
const HOUR_US: i64 = 3_600_000_000;

/// Microseconds, smallest first.
fn errors_after(seconds: f64, boxes: u64, known: impl Fn(f64) -> Frequency) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut errors: Vec<f64> = (0..boxes)
        .map(|seed| {
            let drift_ppm = (random.f64() - 0.5) * 120.0;
            let off_us = random.i64(-9_000_000..9_000_000);
            let known = known(drift_ppm);
            let start = Start { seed, drift_ppm, off_us, known, wander_ppm: 0.002, ..Start::default() };
            let mut run = Run::new(&start, &[Server::right(FAR)]);
            run.pass(seconds);
            assert!(run.steps().len() <= 1 && run.is_synchronised(), "box {seed}");
            run.machine.error_us().abs()
        })
        .collect();
    errors.sort_by(f64::total_cmp);
    errors
}

/// Issue of the box: 5 ms after ten minutes at the least, 1 ms if possible.
#[test]
fn ten_minutes_of_a_server_with_20_ms_of_jitter_each_way_bring_a_millisecond() {
    const BOXES: usize = 200;
    let never_run = errors_after(600.0, BOXES as u64, |_| Frequency::UNKNOWN);
    let has_run = errors_after(600.0, BOXES as u64, |ppm| Frequency { ppm: ppm + 0.3, sigma_ppm: 1.0 });
    for (errors, which, median_us, worst_us) in [
        (&never_run, "a crystal of which nothing is known", 1_000.0, 5_000.0),
        (&has_run, "one whose frequency was kept", 1_000.0, 2_500.0),
    ] {
        let at = |part: usize| errors[(BOXES * part / 100).min(BOXES - 1)];
        println!(
            "clock after 10 min with 0 to 20 ms of jitter each way, {which}, {BOXES} boxes: half within {:.2} ms, \
             95 % within {:.2} ms, worst {:.2} ms",
            at(50) / 1000.0,
            at(95) / 1000.0,
            at(100) / 1000.0
        );
        assert!(at(50) < median_us && at(100) < worst_us, "{which}");
    }
}

#[test]
fn a_server_near_by_is_followed_to_a_tenth_of_a_millisecond_for_a_day_and_asked_ever_less() {
    let start = Start { wander_ppm: 0.002, ..Start::default() };
    let mut run = Run::new(&start, &[Server::right(LAN)]);
    run.pass(1_200.0);
    let mut worst_us: f64 = 0.0;
    for _ in 0..24 * 60 {
        run.pass(60.0);
        worst_us = worst_us.max(run.machine.error_us().abs());
        assert!(run.is_synchronised());
    }
    println!("clock over 24 h with a server near by: worst {:.3} ms", worst_us / 1000.0);
    assert!(worst_us < 1_000.0, "{worst_us} us");
    assert_eq!(run.discipline.sources[0].next(), Next::Doubled(6));
    assert_eq!(run.steps().len(), 1, "only at the start");
}

#[test]
fn a_liar_by_a_year_is_outvoted_and_named() {
    for lies_us in [YEAR_US, -YEAR_US, 300_000] {
        let servers = [Server::lying(LAN, lies_us), Server::right(LAN), Server::right(FAR)];
        let mut run = Run::new(&Start::default(), &servers);
        run.pass(60.0);
        let verdicts: Vec<_> = run.discipline.sources.iter().map(|source| source.verdict).collect();
        assert_eq!(verdicts, [Verdict::Outvoted, Verdict::Followed, Verdict::Agrees]);
        assert!(run.machine.error_us().abs() < 5_000.0, "{}", run.machine.error_us());
        assert!(run.steps().len() == 1 && run.is_synchronised());
    }
}

#[test]
fn a_server_that_begins_to_lie_is_left_for_one_that_does_not() {
    let mut run = Run::new(&Start::default(), &[Server::right(LAN), Server::right(FAR), Server::right(FAR)]);
    run.pass(3_600.0);
    assert_eq!(run.discipline.followed(), Some(0));
    run.servers[0].lies_us = YEAR_US;
    run.pass(3_600.0);
    assert_eq!(run.discipline.sources[0].verdict, Verdict::Outvoted);
    assert!(run.machine.error_us().abs() < 5_000.0 && run.is_synchronised());
    assert_eq!(run.steps().len(), 1);
}

#[test]
fn two_that_differ_are_both_not_believed() {
    let mut run = Run::new(&Start::default(), &[Server::lying(LAN, YEAR_US), Server::right(LAN)]);
    run.pass(120.0);
    assert!(run.discipline.is_disputed() && !run.is_synchronised());
    assert!(run.discipline.sources.iter().all(|source| source.verdict == Verdict::Disputed));
    assert!(run.steps().is_empty() && run.discipline.step_asked(run.machine.reading()).is_none());
}

#[test]
fn one_server_alone_may_move_the_clock_by_an_hour_and_no_more() {
    let right = [Server::right(LAN)];
    for (off_us, wrong, moves) in [
        (HOUR_US - 1_000_000, false, true),
        (HOUR_US + 1_000_000, false, false),
        (-YEAR_US, false, false),
        (-YEAR_US, true, true),
    ] {
        let start = Start { off_us, clock_is_wrong: wrong, ..Start::default() };
        let mut run = Run::new(&start, &right);
        run.pass(60.0);
        assert_eq!(run.steps().len(), usize::from(moves), "{off_us} us");
        assert_eq!(run.is_synchronised(), moves);
        let wanted = (!moves).then_some(StepWanted::Alone);
        assert_eq!(run.discipline.step_wanted(), wanted);
    }
    let start = Start { off_us: -YEAR_US, ..Start::default() };
    let mut run = Run::new(&start, &[Server::right(LAN), Server::right(FAR)]);
    run.pass(60.0);
    assert_eq!(run.steps().len(), 1, "two that agree may");
}

#[test]
fn a_person_has_the_clock_stepped() {
    let mut run = Run::new(&Start { off_us: -YEAR_US, ..Start::default() }, &[Server::right(LAN)]);
    run.pass(60.0);
    let by_us =
        run.discipline.step_asked(run.machine.reading()).expect("it is believed when a person says so");
    run.machine.step(by_us).expect("it may");
    run.discipline.stepped_as_asked();
    run.pass(60.0);
    assert!(run.machine.error_us().abs() < 500.0 && run.is_synchronised(), "{}", run.machine.error_us());
}

#[test]
fn a_lone_server_that_begins_to_lie_does_not_take_the_clock_along() {
    let mut run = Run::new(&Start::default(), &[Server::right(LAN)]);
    run.pass(3_600.0);
    run.servers[0].lies_us = YEAR_US;
    run.pass(3_600.0);
    assert_eq!(run.discipline.step_wanted(), Some(StepWanted::TooFar));
    assert!(!run.is_synchronised(), "nobody knows who is right");
    assert!(run.machine.error_us().abs() < 20_000.0, "{}", run.machine.error_us());
    run.servers[0].lies_us = 0;
    run.pass(3_600.0);
    assert!(run.is_synchronised() && run.discipline.step_wanted().is_none());
    assert_eq!(run.steps().len(), 1, "never but at the start");
}

#[test]
fn what_somebody_moves_the_clock_by_is_tuned_away_and_time_never_goes_back() {
    let mut run = Run::new(&Start::default(), &[Server::right(LAN)]);
    run.pass(900.0);
    run.machine.with(|physics| physics.utc_us += 400_000.0);
    run.pass(2.0);
    assert!(!run.is_synchronised());
    let left_s = run.discipline.slewed_after_s(run.machine.reading()).expect("it is on its way");
    let mut before_us = run.machine.reading().utc_us;
    for _ in 0..left_s as usize {
        run.pass(1.0);
        let now_us = run.machine.reading().utc_us;
        assert!((999_000..1_001_000).contains(&(now_us - before_us)), "500 ppm at most");
        before_us = now_us;
    }
    run.pass(30.0);
    assert!(run.is_synchronised(), "as foretold: {left_s} s");
    run.pass(400.0);
    assert!(run.machine.error_us().abs() < 1_000.0 && run.steps().len() == 1);
}

#[test]
fn without_an_answer_the_clock_runs_on_and_counts_as_in_step_for_eight_hours() {
    let start = Start { wander_ppm: 0.002, ..Start::default() };
    let mut run = Run::new(&start, &[Server::right(LAN)]);
    run.pass(4.0 * 3_600.0);
    run.servers[0].answers = false;
    run.pass(7.5 * 3_600.0);
    assert!(run.is_synchronised() && run.discipline.followed().is_none());
    let (error_us, believed_us) = (
        run.machine.error_us().abs(),
        run.discipline.error_us(run.machine.reading()).expect("it has an idea"),
    );
    assert!(error_us < believed_us as f64 && believed_us < 30_000, "{error_us} of {believed_us} us");
    run.pass(1.0 * 3_600.0);
    assert!(!run.is_synchronised(), "the last answer is too old");
    run.servers[0].answers = true;
    run.pass(1_200.0);
    assert!(run.is_synchronised() && run.machine.error_us().abs() < 1_000.0, "{}", run.machine.error_us());
    assert_eq!(run.steps().len(), 1);
}

#[test]
fn a_leap_second_is_no_error() {
    // 2026-12-31 22:00 UTC.
    let before_us = 1_798_754_400_000_000;
    let midnight_us = before_us + 2 * HOUR_US;
    for (leap, by_us) in [(Leap::Insert, -1e6), (Leap::Delete, 1e6)] {
        let mut right = Server::right(LAN);
        right.leap = leap;
        let start = Start { at_us: before_us, ..Start::default() };
        let mut run = Run::new(&start, &[right, Server { leap, ..Server::right(FAR) }]);
        let at_us = if leap == Leap::Delete { midnight_us - 1_000_000 } else { midnight_us };
        run.machine.with(|physics| physics.leapt = Some((at_us, by_us)));
        run.pass(7_190.0);
        assert_eq!(run.machine.with(|physics| physics.leap), leap);
        run.servers.iter_mut().for_each(|server| server.leap = Leap::None);
        let mut worst_us: f64 = 0.0;
        for second in 0..600 {
            run.pass(1.0);
            // Around midnight the box and true time do not leap at the same instant.
            if !(8..=12).contains(&second) {
                worst_us = worst_us.max(run.machine.error_us().abs());
            }
        }
        assert!(worst_us < 2_000.0, "{leap:?}: {worst_us} us");
        assert!(run.is_synchronised() && run.steps().len() == 1);
        assert_eq!(
            run.machine.with(|physics| (physics.leap, physics.leap_state)),
            (Leap::None, LeapState::Quiet)
        );
    }
}

#[test]
fn a_leap_second_comes_only_at_the_end_of_a_month_and_not_from_a_minority() {
    let day_before_us = 1_798_754_400_000_000 - DAY_US;
    let early = Server { leap: Leap::Insert, ..Server::right(LAN) };
    let mut run = Run::new(&Start { at_us: day_before_us, ..Start::default() }, &[early]);
    run.pass(600.0);
    assert_eq!(run.machine.with(|physics| physics.leap), Leap::None);
    let start = Start { at_us: day_before_us + DAY_US, ..Start::default() };
    let mut run = Run::new(&start, &[early, Server::right(LAN), Server::right(LAN)]);
    run.pass(600.0);
    assert_eq!(run.machine.with(|physics| physics.leap), Leap::None);
}
