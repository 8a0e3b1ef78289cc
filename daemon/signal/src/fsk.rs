//! Caller ID by FSK for lanes side by side (Bell 202: GR-30; V.23: ETSI EN 300 659-1). All lanes are only looked at
//! for a steady mark tone, which stands in front of every message; that costs a fifth of DTMF. Where it is found, a
//! receiver of its own listens to that lane until the carrier ends.

use std::f32::consts::TAU;

use crate::dbm0::power_from_dbm0;
use crate::detection::Detection;
use crate::fsk_receiver::Receiver;
use crate::lanes::{LANES, LaneMask, Lanes, lanes_of};
use crate::recent::{HOP, Recent};
use crate::units::{RATE_HZ, SampleIndex};

/// Weakest carrier that is looked at: −36.2 dBm must be read, −48.2 dBm must not (GR-30).
const WEAKEST_DBM0: f32 = -42.0;
/// Mark is looked for from 1200 Hz −1 % to 1300 Hz +1.5 %, and some more for noise in a short measurement.
const MARK_RANGE_HZ: (f32, f32) = (1050.0, 1450.0);
/// How much the second lag of a pure tone may differ from what its first lag makes it, as a share of the energy.
const IMPURITY: f32 = 0.25;
/// Hops of mark in a row that wake a receiver: 12 ms of at least 46 ms (ETSI: 55 bits).
const WAKING_HOPS: usize = 3;
/// A hop may be part of a carrier when its second lag is below this share of its energy: everything from 1100 to
/// 2900 Hz has a negative one, voices a positive one.
const CARRIER_LAG: f32 = -0.15;
/// How much weaker than mark the seizure in front of it may be, as a factor of energy (9 dB).
const CARRIER_DROP: f32 = 0.125;
/// Hops that are remembered to find where the carrier began: 512 ms of at most 0.4 s seizure and mark.
const REMEMBERED: usize = 128;
/// Hops without a carrier that the search goes over, and that end a reception.
const GAP_HOPS: usize = 3;
/// A reception ends after this many hops (4 s) at the latest; the longest message takes 2.7 s with its seizure.
const LONGEST_HOPS: u32 = 1000;

/// Listens for caller ID on the armed ones of [`LANES`] tracks.
#[derive(Clone, Debug)]
pub(crate) struct FskDetector {
    /// Lanes that were armed in the last hop.
    armed: LaneMask,
    /// Lanes with mark in the last hops, newest first.
    mark: [LaneMask; WAKING_HOPS],
    /// Energies of the last hops; zero where there can be no carrier.
    carrier: Box<[Lanes; REMEMBERED]>,
    hop_count: usize,
    /// Hop in which each lane was armed.
    armed_at: [usize; LANES],
    receptions: Box<[Reception; LANES]>,
    receiving: LaneMask,
    weakest: f32,
    /// Cosines of the ends of the mark range, upper end first.
    range: (f32, f32),
}

/// A carrier that goes on in a lane.
#[derive(Clone, Debug, Default)]
struct Reception {
    receiver: Receiver,
    start: SampleIndex,
    /// Energy of a hop of mark.
    mark_energy: f32,
    /// Hops that it has lasted, and the newest ones without a carrier.
    hops: u32,
    weak_hops: usize,
}

impl Default for FskDetector {
    fn default() -> Self {
        let cosine = |hertz: f32| (TAU * hertz / RATE_HZ as f32).cos();
        Self {
            armed: 0,
            mark: [0; WAKING_HOPS],
            carrier: Box::new([Lanes::ZERO; REMEMBERED]),
            hop_count: 0,
            armed_at: [0; LANES],
            receptions: Box::new(std::array::from_fn(|_| Reception::default())),
            receiving: 0,
            weakest: power_from_dbm0(WEAKEST_DBM0) * HOP as f32,
            range: (cosine(MARK_RANGE_HZ.1), cosine(MARK_RANGE_HZ.0)),
        }
    }
}

impl FskDetector {
    /// Takes the newest hop of all lanes, of which those in `armed` are listened to; `now` is the sample behind it.
    #[inline(always)]
    pub(crate) fn hop(
        &mut self,
        recent: &Recent,
        now: SampleIndex,
        armed: LaneMask,
        out: &mut impl FnMut(usize, Detection),
    ) {
        self.hop_count = self.hop_count.wrapping_add(1);
        if armed != self.armed {
            let newly = armed & !self.armed;
            for lane in lanes_of(newly) {
                self.armed_at[lane] = self.hop_count;
            }
            self.mark = self.mark.map(|lanes| lanes & !newly);
            self.armed = armed;
            self.receiving &= armed;
        }
        if armed == 0 {
            return;
        }
        let mark = self.look_for_mark(recent.hop()) & armed;
        let before = self.mark;
        self.mark = [mark, before[0], before[1]];
        let waking = mark & before[0] & before[1] & !self.receiving;
        for lane in lanes_of(waking) {
            self.wake(lane, recent, now);
        }
        for lane in lanes_of(self.receiving) {
            if let Some(heard) = self.receive(lane, recent) {
                out(lane, heard);
            }
        }
    }

    /// Lanes in which a message has begun and goes on.
    pub(crate) fn sounding(&self) -> LaneMask {
        lanes_of(self.receiving)
            .filter(|&lane| self.receptions[lane].receiver.has_begun())
            .fold(0, |lanes, lane| lanes | 1 << lane)
    }

    /// Remembers which lanes can have a carrier, and returns those with mark.
    #[inline(always)]
    fn look_for_mark(&mut self, hop: &[Lanes; HOP]) -> LaneMask {
        let (mut energy, mut lag1, mut lag2) = (Lanes::ZERO, Lanes::ZERO, Lanes::ZERO);
        for sample in hop {
            energy += *sample * *sample;
        }
        for n in 1..HOP {
            lag1 += hop[n] * hop[n - 1];
        }
        for n in 2..HOP {
            lag2 += hop[n] * hop[n - 2];
        }
        // As many products as the energy has.
        let (lag1, lag2) = (lag1 * (HOP as f32 / (HOP - 1) as f32), lag2 * (HOP as f32 / (HOP - 2) as f32));
        let loud = energy.above(Lanes::splat(self.weakest));
        let carrier = loud & (energy * CARRIER_LAG).above(lag2);
        let remembered = &mut self.carrier[self.hop_count % REMEMBERED];
        *remembered = Lanes::ZERO;
        for lane in lanes_of(carrier) {
            remembered[lane] = energy[lane];
        }
        // A tone of frequency ω has lags of cos ω and cos 2ω = 2 cos² ω − 1 times its energy.
        let square = energy * energy;
        let impurity = (energy * lag2 - lag1 * lag1 * 2.0 + square).abs();
        carrier
            & lag1.above(energy * self.range.0)
            & (energy * self.range.1).above(lag1)
            & (square * IMPURITY).above(impurity)
    }

    /// Begins to receive in a lane, whose newest hops are mark.
    #[inline(never)]
    fn wake(&mut self, lane: usize, recent: &Recent, now: SampleIndex) {
        let energy: f32 = recent.newest(lane, WAKING_HOPS * HOP).map(|sample| sample * sample).sum();
        let mark_energy = energy / WAKING_HOPS as f32;
        let start = self.carrier_start(lane, mark_energy, now);
        let mut receiver = Receiver::default();
        // The hops before the newest one, which `receive` is about to take.
        for sample in recent.newest(lane, WAKING_HOPS * HOP).take((WAKING_HOPS - 1) * HOP) {
            receiver.take(sample);
        }
        self.receptions[lane] = Reception { receiver, start, mark_energy, hops: 0, weak_hops: 0 };
        self.receiving |= 1 << lane;
    }

    /// Where the carrier began that ends with the newest hop.
    fn carrier_start(&self, lane: usize, mark_energy: f32, now: SampleIndex) -> SampleIndex {
        let least = mark_energy * CARRIER_DROP;
        let energy = |ago: usize| self.carrier[self.hop_count.wrapping_sub(ago) % REMEMBERED][lane];
        let known = self.hop_count.wrapping_sub(self.armed_at[lane]).min(REMEMBERED - 1);
        let (mut oldest, mut ago) = (0, 0);
        while ago <= known && ago - oldest <= GAP_HOPS {
            if energy(ago) >= least {
                oldest = ago;
            }
            ago += 1;
        }
        // The oldest hop is filled as far as its energy reaches that of the hop behind it.
        let whole = energy(oldest.saturating_sub(1)).max(1.0);
        let filled = (energy(oldest) / whole).min(1.0) * HOP as f32;
        now.minus((oldest * HOP) as u64 + filled as u64)
    }

    /// Gives the newest hop of a lane to its receiver.
    #[inline(never)]
    fn receive(&mut self, lane: usize, recent: &Recent) -> Option<Detection> {
        let reception = &mut self.receptions[lane];
        let mut energy = 0.0;
        let mut heard = None;
        for sample in recent.newest(lane, HOP) {
            energy += sample * sample;
            heard = heard.or(reception.receiver.take(sample));
        }
        let weak = energy < reception.mark_energy * CARRIER_DROP / 4.0;
        reception.weak_hops = if weak { reception.weak_hops + 1 } else { 0 };
        reception.hops += 1;
        if heard.is_some() || reception.weak_hops >= GAP_HOPS || reception.hops >= LONGEST_HOPS {
            self.receiving &= !(1 << lane);
        }
        heard.map(|caller_id| Detection::CallerId { at: reception.start, caller_id })
    }
}
