//! What there is to say of the clock, made of what is known inside.

use std::time::Duration;

use super::discipline::{StepWanted, TRUSTED_FOR_US};
use super::machine::{Leap, Reading};
use super::now::{ClockNow, ClockState, LeapNow, ServerNow, ServerState, StepNeeded};
use super::sample::Failure;
use super::source::{Next, Source, Verdict};
use super::{ClockSettings, Inner};

/// `pause`: how long a server is left alone.
pub(super) fn of(inner: &Inner, now: Reading, pause: impl Fn(Next) -> Option<Duration>) -> ClockNow {
    let Inner { settings, discipline, .. } = inner;
    let utc_of = |raw_us: i64| now.utc_us - (now.raw_us - raw_us);
    let heard_us = discipline.heard_raw_us().map(utc_of);
    let alone = discipline.followed().is_none().then_some(heard_us).flatten();
    let servers = settings.servers.iter().zip(&discipline.sources);
    ClockNow {
        settings: settings.clone(),
        state: state(inner),
        utc_us: now.utc_us,
        synchronised: discipline.in_step(),
        followed: discipline.followed().and_then(|place| settings.servers.get(place).cloned()),
        offset_us: discipline.off_us(now),
        error_us: discipline.error_us(now),
        frequency_ppm: discipline.frequency_ppm(),
        holdover_since_us: alone,
        trusted_until_us: alone.map(|heard_us| heard_us + TRUSTED_FOR_US),
        slewed_after_s: discipline.slewed_after_s(now),
        step_needed: discipline.step_wanted().map(|wanted| match wanted {
            StepWanted::Alone => StepNeeded::OneServerAlone,
            StepWanted::TooFar => StepNeeded::TooFar,
        }),
        leap: match discipline.leap() {
            Leap::None => LeapNow::None,
            Leap::Insert => LeapNow::Insert,
            Leap::Delete => LeapNow::Delete,
        },
        rtc: inner.rtc,
        trouble: inner.trouble.clone(),
        servers: servers.map(|(name, source)| server(name, source, settings, now, &pause)).collect(),
    }
}

fn state(inner: &Inner) -> ClockState {
    let discipline = &inner.discipline;
    match () {
        () if !discipline.is_on() => ClockState::Off,
        () if discipline.is_disputed() => ClockState::Disputed,
        () if discipline.step_wanted().is_some() => ClockState::StepNeeded,
        () if discipline.is_searching() => ClockState::Searching,
        () if discipline.followed().is_none() && discipline.heard_raw_us().is_some() => ClockState::Holdover,
        () if discipline.followed().is_none() => ClockState::Searching,
        () if discipline.in_step() => ClockState::InStep,
        () => ClockState::Slewing,
    }
}

fn server(
    name: &str,
    source: &Source,
    settings: &ClockSettings,
    now: Reading,
    pause: impl Fn(Next) -> Option<Duration>,
) -> ServerNow {
    let line = source.line();
    let newest = source.newest();
    ServerNow {
        server: name.to_owned(),
        address: source.address.map(|address| address.to_string()),
        state: if settings.on { server_state(source) } else { ServerState::Off },
        offset_us: line.map(|line| line.ahead_us(now.raw_us).saturating_sub(now.utc_us - now.raw_us)),
        delay_us: line.map(|line| line.delay_us),
        jitter_us: line.map(|line| line.jitter_us.round() as i64),
        stratum: newest.map(|sample| sample.stratum),
        reach: source.reach,
        poll_s: settings.on.then(|| pause(source.next())).flatten().map(|pause| pause.as_secs_f64()),
        heard_us: newest.map(|sample| now.utc_us - (now.raw_us - sample.raw_us)),
    }
}

/// What a server counts for; when that is nothing, or it has stopped to answer, why.
fn server_state(source: &Source) -> ServerState {
    let counts = match source.verdict {
        Verdict::Followed => Some(ServerState::Followed),
        Verdict::Agrees => Some(ServerState::Agrees),
        Verdict::Outvoted => Some(ServerState::Outvoted),
        Verdict::Disputed => Some(ServerState::Disputed),
        Verdict::Waiting => None,
    };
    let failed = source.failure.as_ref().map(|failure| match failure {
        Failure::NoName => ServerState::NoName,
        Failure::Unreachable => ServerState::Unreachable,
        Failure::Silent => ServerState::Silent,
        Failure::Unsynchronised => ServerState::Unsynchronised,
        Failure::RateLimited => ServerState::RateLimited,
        Failure::Denied => ServerState::Denied,
        Failure::Nonsense | Failure::Disturbed => ServerState::Nonsense,
    });
    let denied = source.denied.then_some(ServerState::Denied);
    let gone = source.is_gone().then_some(()).and(failed);
    denied.or(gone).or(counts).or(failed).unwrap_or(ServerState::Waiting)
}
