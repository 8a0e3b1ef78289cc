//! One question to a time server and its answer (NTP, RFC 5905, asked by `sntpc`): what the server says the time is, told
//! against the box's oscillator, so that neither a step nor a tuning of the clock spoils what was measured before.

use std::net::SocketAddr;
use std::time::Duration;

use sntpc::{Error, KissOfDeathCode, NtpContext, NtpTimestampGenerator, NtpUdpSocket};
use sntpc_net_tokio::UdpSocketWrapper;
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::timeout;

use super::machine::{Leap, Machine, Reading};
use super::settings::ServerAddress;

/// Answers that belong to no question of ours (somebody guesses) are passed over, so many.
const MOST_STRANGE_ANSWERS: usize = 8;
/// The clock is tuned by at most 500 ppm: in the seconds of one question it moves by less, unless somebody sets it.
const MOVED_US: i64 = 3_000;
/// Of a second, in NTP's short format.
const SHORT_SECOND: u64 = 1 << 16;

/// An answer, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// When it came, by the oscillator.
    pub(crate) raw_us: i64,
    /// The server's time less the oscillator's.
    pub(crate) ahead_us: i64,
    /// There and back on the network; half of it is the most that the answer is wrong by, if the server is right.
    pub(crate) delay_us: i64,
    /// The most that the server itself is wrong by, as it says.
    pub(crate) root_us: i64,
    pub(crate) stratum: u8,
    pub(crate) leap: Leap,
}

/// Why a question brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No address for the name.
    NoName,
    /// The network has no way there, or nobody listens there.
    Unreachable,
    /// No answer in time.
    Silent,
    /// It answers that it does not know the time itself.
    Unsynchronised,
    /// It wants to be asked less often (kiss `RATE`).
    RateLimited,
    /// It does not serve us (kiss `DENY`, `RSTR`).
    Denied,
    /// It answers something that is no time.
    Nonsense,
    /// The box's clock was set while it was asked: says nothing about the server.
    Disturbed,
}

/// Asks a server by its name or address; the `turn`th of the addresses that the name has.
pub(crate) async fn ask(
    server: &ServerAddress,
    turn: usize,
    machine: &dyn Machine,
    answer_within: Duration,
) -> Result<(SocketAddr, Sample), Failure> {
    let asking = async {
        let mut addresses: Vec<_> =
            lookup_host((server.host.as_str(), server.port)).await.map_err(|_| Failure::NoName)?.collect();
        if addresses.is_empty() {
            return Err(Failure::NoName);
        }
        let address = addresses.swap_remove(turn % addresses.len());
        let local: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0; 8], 0).into() };
        // A socket for each question: what comes late for the one before does not reach this one; and connected, so that
        // the kernel passes on that nobody listens, and nothing from anybody else.
        let socket = UdpSocket::bind(local).await.map_err(|_| Failure::Unreachable)?;
        socket.connect(address).await.map_err(|_| Failure::Unreachable)?;
        let sample = exchange(address, &UdpSocketWrapper::new(socket), machine).await?;
        Ok((address, sample))
    };
    timeout(answer_within, asking).await.unwrap_or(Err(Failure::Silent))
}

/// One question over a socket, without a limit of time.
pub(crate) async fn exchange<S: NtpUdpSocket>(
    address: SocketAddr,
    socket: &S,
    machine: &dyn Machine,
) -> Result<Sample, Failure> {
    let context = NtpContext::new(Stamp { machine, utc_us: 0 });
    let before = machine.reading();
    let asked = sntpc::sntp_send_request(address, socket, context).await.map_err(failure_of)?;
    for _ in 0..MOST_STRANGE_ANSWERS {
        match sntpc::sntp_process_response(address, socket, context, asked).await {
            Err(Error::IncorrectOriginTimestamp | Error::ResponseAddressMismatch) => {}
            Err(error) => return Err(failure_of(error)),
            Ok(answer) => return sample_of(&answer, before, machine.reading()),
        }
    }
    Err(Failure::Nonsense)
}

fn sample_of(answer: &sntpc::NtpResult, before: Reading, after: Reading) -> Result<Sample, Failure> {
    let apart = |reading: Reading| reading.utc_us - reading.raw_us;
    if (apart(after) - apart(before)).abs() > MOVED_US {
        return Err(Failure::Disturbed);
    }
    let took_us = after.raw_us - before.raw_us;
    let delay_us = i64::try_from(answer.roundtrip()).map_err(|_| Failure::Nonsense)?;
    // A server that says it had the question for less than no time.
    if delay_us > took_us + MOVED_US {
        return Err(Failure::Nonsense);
    }
    let short_us = |value: u32| (u64::from(value) * 1_000_000 / SHORT_SECOND) as i64;
    Ok(Sample {
        raw_us: after.raw_us,
        ahead_us: apart(after).saturating_add(answer.offset()),
        delay_us,
        root_us: short_us(answer.root_delay()) / 2 + short_us(answer.root_dispersion()),
        stratum: answer.stratum(),
        leap: match answer.leap_indicator() {
            1 => Leap::Insert,
            2 => Leap::Delete,
            _ => Leap::None,
        },
    })
}

fn failure_of(error: Error) -> Failure {
    match error {
        Error::KissOfDeath(KissOfDeathCode::Rate) => Failure::RateLimited,
        Error::KissOfDeath(KissOfDeathCode::Deny | KissOfDeathCode::Rstr) => Failure::Denied,
        Error::KissOfDeath(KissOfDeathCode::Init | KissOfDeathCode::Step)
        | Error::UnsynchronizedClock
        | Error::IncorrectStratumHeaders
        | Error::ExcessiveRootDistance => Failure::Unsynchronised,
        Error::Network => Failure::Unreachable,
        _ => Failure::Nonsense,
    }
}

/// Gives `sntpc` the box's clock.
#[derive(Clone, Copy)]
struct Stamp<'a> {
    machine: &'a dyn Machine,
    utc_us: i64,
}

impl NtpTimestampGenerator for Stamp<'_> {
    fn init(&mut self) {
        self.utc_us = self.machine.reading().utc_us.max(0);
    }

    fn timestamp_sec(&self) -> u64 {
        self.utc_us.unsigned_abs() / 1_000_000
    }

    fn timestamp_subsec_micros(&self) -> u32 {
        (self.utc_us.unsigned_abs() % 1_000_000) as u32
    }
}
