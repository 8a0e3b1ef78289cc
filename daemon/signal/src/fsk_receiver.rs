//! One message by FSK: two correlators of a bit's length tell mark from space whatever their levels, each character
//! finds its own bit clock, and the whole is believed only with its checksum and without a single doubtful bit. Both
//! standards are received alike; the frequencies that were heard tell which one it was.

use std::f32::consts::TAU;

use arrayvec::ArrayVec;

use crate::caller_id::{self, LONGEST_MESSAGE, MDMF_CALL, OTHER_MESSAGES, SDMF_CALL};
use crate::units::RATE_HZ;
use crate::{CallerId, CallerIdStandard};

/// Mark and space: half way between Bell 202 (1200 and 2200 Hz, GR-30) and V.23 (1300 and 2100 Hz, ITU-T V.23, ETSI
/// EN 300 659-1). A correlator is so short that it does not feel the 50 Hz to either.
const MARK_HZ: f32 = 1250.0;
const SPACE_HZ: f32 = 2150.0;
/// Samples of a bit at 1200 baud.
const BIT: f32 = RATE_HZ as f32 / 1200.0;
/// Samples of a correlator, the outer ones weighted so that all together are one bit.
const TAPS: usize = 7;
const OUTER_WEIGHT: f32 = (BIT - (TAPS as f32 - 2.0)) / 2.0;

/// Soft bits kept: a character of 67 samples and more than one hop.
const KEPT: usize = 256;
/// How far, in samples, a character's clock is looked for around its start edge, and in which steps: unequal levels of
/// mark and space move the edge by up to a quarter of a bit.
const CLOCK_SEARCH: f32 = 2.0;
const CLOCK_STEP: f32 = 0.25;
/// A bit is `(mark − space) / (mark + space)`; nearer to zero than this it is a guess. Clean ones are above 0.4.
const LEAST_CERTAINTY: f32 = 0.08;
/// Frequencies are measured where the same tone goes on for this many samples, a bit and a half, and in their middle:
/// at a change of tone a correlator hears both.
const STEADY_SAMPLES: u32 = 10;
const MIDDLE: usize = 5;
/// Longest mark between two characters, in samples: 60 bits; 10 are allowed (GR-30).
const LONGEST_PAUSE: u32 = 400;

#[derive(Clone, Copy, Debug, Default)]
struct Phasor {
    re: f32,
    im: f32,
}

impl Phasor {
    /// `self · conj(other)`
    fn turned_back(self, other: Self) -> Self {
        Self { re: self.re * other.re + self.im * other.im, im: self.im * other.re - self.re * other.im }
    }

    fn length(self) -> f32 {
        (self.re * self.re + self.im * self.im).sqrt()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    /// e^(-iωt) of mark and of space, weighted.
    taps: [[Phasor; TAPS]; 2],
    /// The newest samples, newest last.
    window: [f32; TAPS],
    /// What the correlators said last.
    before: [Phasor; 2],
    /// Samples for which the same tone has been the stronger one, and that one's steps from sample to sample of late,
    /// newest last.
    same: u32,
    last_steps: [Phasor; MIDDLE + 1],
    /// Sums of the steps that count, of mark and of space.
    steps: [Phasor; 2],
    /// Soft bits by sample, and how many there were.
    soft: [f32; KEPT],
    count: u32,
    /// Next sample to be looked at for a start edge, and the edge that was found.
    scan: u32,
    edge: Option<f32>,
    /// End of the last character.
    last_end: u32,
    message: ArrayVec<u8, LONGEST_MESSAGE>,
}

impl Default for Receiver {
    fn default() -> Self {
        let taps = [MARK_HZ, SPACE_HZ].map(|hertz| {
            std::array::from_fn(|n| {
                let angle = TAU * hertz / RATE_HZ as f32 * (n as f32 - (TAPS / 2) as f32);
                let weight = if n == 0 || n == TAPS - 1 { OUTER_WEIGHT } else { 1.0 };
                Phasor { re: weight * angle.cos(), im: weight * -angle.sin() }
            })
        });
        Self {
            taps,
            window: [0.0; TAPS],
            before: [Phasor::default(); 2],
            same: 0,
            last_steps: [Phasor::default(); MIDDLE + 1],
            steps: [Phasor::default(); 2],
            soft: [1.0; KEPT],
            count: 0,
            scan: 1,
            edge: None,
            last_end: 0,
            message: ArrayVec::new(),
        }
    }
}

impl Receiver {
    /// A message's first byte has come.
    pub(crate) fn has_begun(&self) -> bool {
        !self.message.is_empty()
    }

    /// Takes a sample; returns the caller ID that it completes.
    pub(crate) fn take(&mut self, sample: f32) -> Option<CallerId> {
        self.window.rotate_left(1);
        self.window[TAPS - 1] = sample;
        let tones = self.taps.map(|taps| {
            let mut sum = Phasor::default();
            for (sample, tap) in self.window.iter().zip(taps) {
                sum.re += sample * tap.re;
                sum.im += sample * tap.im;
            }
            sum
        });
        let [mark, space] = tones.map(Phasor::length);
        let soft = (mark - space) / (mark + space + 1.0);
        let tone = usize::from(soft < 0.0);
        let goes_on = self.count > 0 && (self.at(self.count - 1) < 0.0) == (soft < 0.0);
        self.same = if goes_on { self.same + 1 } else { 0 };
        self.last_steps.rotate_left(1);
        self.last_steps[MIDDLE] = tones[tone].turned_back(self.before[tone]);
        if self.same >= STEADY_SAMPLES {
            let step = self.last_steps[0];
            self.steps[tone].re += step.re;
            self.steps[tone].im += step.im;
        }
        self.before = tones;
        self.soft[self.count as usize % KEPT] = soft;
        self.count += 1;
        self.look_for_character()
    }

    /// By the frequencies that were heard: the two of V.23 lie closer together.
    fn standard(&self) -> CallerIdStandard {
        let [mark, space] = self.steps.map(|steps| steps.im.atan2(steps.re) * RATE_HZ as f32 / TAU);
        if space - mark > SPACE_HZ - MARK_HZ {
            CallerIdStandard::FskBell202
        } else {
            CallerIdStandard::FskV23
        }
    }

    fn look_for_character(&mut self) -> Option<CallerId> {
        loop {
            let Some(edge) = self.edge else {
                self.edge = self.next_edge();
                if self.edge.is_some() {
                    continue;
                }
                if self.count - self.last_end > LONGEST_PAUSE {
                    self.message.clear();
                }
                return None;
            };
            // The middle of the stop bit, at the latest clock.
            if (self.count as f32) < edge + 9.5 * BIT + CLOCK_SEARCH + 2.0 {
                return None;
            }
            self.edge = None;
            let Some(character) = self.character(edge) else {
                // A glitch in a mark: go on behind it. In a message, a character is lost and with it all.
                self.scan = edge as u32 + 2;
                self.message.clear();
                continue;
            };
            self.scan = character.stop as u32;
            self.last_end = self.scan;
            if let Some(caller_id) = self.add(character.byte) {
                return Some(caller_id);
            }
        }
    }

    /// The time at which mark next becomes space, between samples.
    fn next_edge(&mut self) -> Option<f32> {
        while self.scan < self.count {
            let (before, after) = (self.at(self.scan - 1), self.at(self.scan));
            self.scan += 1;
            if before >= 0.0 && after < 0.0 {
                return Some((self.scan - 2) as f32 + before / (before - after));
            }
        }
        None
    }

    fn at(&self, sample: u32) -> f32 {
        self.soft[sample as usize % KEPT]
    }

    fn between_samples(&self, time: f32) -> f32 {
        let (sample, share) = (time as u32, time.fract());
        self.at(sample) * (1.0 - share) + self.at(sample + 1) * share
    }

    /// Reads the character whose start bit begins at about `edge`, by the clock at which its bits are clearest.
    fn character(&self, edge: f32) -> Option<Character> {
        let mut best: Option<(f32, Character)> = None;
        let steps = (2.0 * CLOCK_SEARCH / CLOCK_STEP) as u32;
        for step in 0..=steps {
            let start = (edge - CLOCK_SEARCH + CLOCK_STEP * step as f32).max(0.0);
            let bits: [f32; 10] =
                std::array::from_fn(|n| self.between_samples(start + (n as f32 + 0.5) * BIT));
            let clarity: f32 = bits.iter().map(|bit| bit.abs()).sum();
            let certain = bits.iter().all(|bit| bit.abs() >= LEAST_CERTAINTY);
            if bits[0] < 0.0
                && bits[9] > 0.0
                && certain
                && best.as_ref().is_none_or(|(most, _)| clarity > *most)
            {
                let byte = (0..8).fold(0, |byte, n| byte | u8::from(bits[n + 1] > 0.0) << n);
                best = Some((clarity, Character { byte, stop: start + 9.5 * BIT }));
            }
        }
        best.map(|(_, character)| character)
    }

    /// Adds a byte to the message; returns the caller ID when that makes it whole and right.
    fn add(&mut self, byte: u8) -> Option<CallerId> {
        if self.message.is_empty()
            && ![SDMF_CALL, MDMF_CALL].contains(&byte)
            && !OTHER_MESSAGES.contains(&byte)
        {
            return None;
        }
        // Never full: it is cleared when it has as many bytes as its length byte says.
        let _ = self.message.try_push(byte);
        let whole = self.message.get(1).is_some_and(|&length| self.message.len() == usize::from(length) + 3);
        if !whole {
            return None;
        }
        let caller_id = caller_id::parse(&self.message, self.standard()).ok();
        self.message.clear();
        caller_id
    }
}

#[derive(Clone, Copy, Debug)]
struct Character {
    byte: u8,
    /// The middle of its stop bit.
    stop: f32,
}
