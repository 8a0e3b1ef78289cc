//! Supervisory tones of the countries a recorder may stand in: which frequencies, which cadence, what they mean.
//!
//! Sources: GB/T 3380-1982 and YDN 065 for China; ITU-T E.180 Supplement 2 and its successor "Various tones used in
//! national networks" (ITU Operational Bulletin No. 781, annex) for the others, with the national paper where one is
//! named. Only tones that mean something to a recorder stand here; of two that sound alike the commoner one does.

use crate::Tone;

/// Tones a country may have: their sets are bits of a byte.
pub const MOST_TONES: usize = 8;

/// What a burst of a tone sounds like. Hertz.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sound {
    One(f32),
    /// Two frequencies at about one level.
    Two(f32, f32),
    /// A carrier whose amplitude swings slowly (16 to 50 Hz).
    Modulated(f32),
}

/// One burst of a cadence and the silence behind it, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub on_ms: u16,
    pub off_ms: u16,
}

/// A tone of a country.
#[derive(Clone, Copy, Debug)]
pub struct SupervisoryTone {
    pub tone: Tone,
    pub sound: Sound,
    /// One period; empty for a steady tone.
    pub cadence: &'static [Step],
    /// Largest deviation of a burst or a silence from the cadence.
    pub cadence_tolerance: f32,
}

/// The tones of a country or of a numbering area.
#[derive(Debug)]
pub struct Country {
    /// ISO 3166-1, two small letters.
    pub code: &'static str,
    /// Largest deviation of a frequency, in hertz.
    pub tolerance_hz: f32,
    pub tones: &'static [SupervisoryTone],
    pub source: &'static str,
}

/// A steady tone.
const fn steady(tone: Tone, sound: Sound) -> SupervisoryTone {
    SupervisoryTone { tone, sound, cadence: &[], cadence_tolerance: CADENCE_TOLERANCE }
}

/// A tone in bursts.
const fn bursts(tone: Tone, sound: Sound, cadence: &'static [Step]) -> SupervisoryTone {
    SupervisoryTone { tone, sound, cadence, cadence_tolerance: CADENCE_TOLERANCE }
}

const fn step(on_ms: u16, off_ms: u16) -> Step {
    Step { on_ms, off_ms }
}

/// GB/T 3380-1982 clause 2: ±10 %; E.180 clause 2 names the same for most.
const CADENCE_TOLERANCE: f32 = 0.10;

use Sound::{Modulated, One, Two};
use Tone::{Busy, CallWaiting, Congestion, Dial, Howler, Ringback, SpecialDial, Unobtainable};

const OPERATIONAL_BULLETIN: &str = "ITU Operational Bulletin No. 781, annex (E.180 Supplement 2)";
const PRECISE_TONE_PLAN: &str = "ITU-T E.300 Supplement 3, North American precise audible tone plan";

/// North America: dial, busy, reorder, ringback, call waiting.
const PRECISE: &[SupervisoryTone] = &[
    steady(Dial, Two(350.0, 440.0)),
    bursts(SpecialDial, Two(350.0, 440.0), &[step(100, 100)]),
    bursts(Ringback, Two(440.0, 480.0), &[step(2000, 4000)]),
    bursts(Busy, Two(480.0, 620.0), &[step(500, 500)]),
    bursts(Congestion, Two(480.0, 620.0), &[step(250, 250)]),
    bursts(CallWaiting, One(440.0), &[step(300, 9700)]),
];

/// Every country with a table, sorted by code.
pub static COUNTRIES: &[Country] = &[
    Country {
        code: "au",
        tolerance_hz: 15.0,
        tones: &[
            steady(Dial, Two(413.0, 438.0)),
            bursts(Ringback, Two(413.0, 438.0), &[step(400, 200), step(400, 2000)]),
            bursts(Busy, One(425.0), &[step(375, 375)]),
            bursts(CallWaiting, One(425.0), &[step(200, 200), step(200, 4400)]),
            bursts(Unobtainable, One(425.0), &[step(2500, 500)]),
        ],
        source: "ACIF S002:2001",
    },
    Country { code: "ca", tolerance_hz: 10.0, tones: PRECISE, source: PRECISE_TONE_PLAN },
    Country {
        code: "ch",
        tolerance_hz: 15.0,
        tones: &[
            steady(Dial, One(425.0)),
            bursts(Ringback, One(425.0), &[step(1000, 4000)]),
            bursts(Busy, One(425.0), &[step(500, 500)]),
            bursts(Congestion, One(425.0), &[step(200, 200)]),
            bursts(CallWaiting, One(425.0), &[step(200, 200), step(200, 4000)]),
        ],
        source: OPERATIONAL_BULLETIN,
    },
    Country {
        code: "cn",
        tolerance_hz: 25.0,
        tones: &[
            steady(Dial, One(450.0)),
            bursts(SpecialDial, One(450.0), &[step(400, 40)]),
            bursts(Ringback, One(450.0), &[step(1000, 4000)]),
            bursts(Busy, One(450.0), &[step(350, 350)]),
            bursts(Congestion, One(450.0), &[step(700, 700)]),
            bursts(
                Unobtainable,
                One(450.0),
                &[step(100, 100), step(100, 100), step(100, 100), step(400, 400)],
            ),
            // "0.4 s every 4 s": some exchanges count the 4 s from burst to burst, some from its end.
            SupervisoryTone {
                tone: CallWaiting,
                sound: One(450.0),
                cadence: &[step(400, 3800)],
                cadence_tolerance: 0.16,
            },
            steady(Howler, One(950.0)),
        ],
        source: "GB/T 3380-1982, YDN 065",
    },
    Country {
        code: "de",
        tolerance_hz: 20.0,
        tones: &[
            steady(Dial, One(425.0)),
            bursts(Ringback, One(425.0), &[step(1000, 4000)]),
            bursts(Busy, One(425.0), &[step(480, 480)]),
            bursts(Congestion, One(425.0), &[step(240, 240)]),
            bursts(CallWaiting, One(425.0), &[step(200, 200), step(200, 5000)]),
        ],
        source: OPERATIONAL_BULLETIN,
    },
    Country {
        code: "es",
        tolerance_hz: 15.0,
        tones: &[
            steady(Dial, One(425.0)),
            bursts(Ringback, One(425.0), &[step(1500, 3000)]),
            bursts(Busy, One(425.0), &[step(200, 200)]),
            bursts(Congestion, One(425.0), &[step(200, 200), step(200, 200), step(200, 600)]),
            bursts(CallWaiting, One(425.0), &[step(175, 175), step(175, 3500)]),
        ],
        source: OPERATIONAL_BULLETIN,
    },
    Country {
        code: "fr",
        tolerance_hz: 15.0,
        tones: &[
            steady(Dial, One(440.0)),
            bursts(Ringback, One(440.0), &[step(1500, 3500)]),
            bursts(Busy, One(440.0), &[step(500, 500)]),
            bursts(CallWaiting, One(440.0), &[step(300, 9700)]),
        ],
        source: OPERATIONAL_BULLETIN,
    },
    Country {
        code: "gb",
        tolerance_hz: 10.0,
        tones: &[
            steady(Dial, Two(350.0, 440.0)),
            bursts(Ringback, Two(400.0, 450.0), &[step(400, 200), step(400, 2000)]),
            bursts(Busy, One(400.0), &[step(375, 375)]),
            bursts(Congestion, One(400.0), &[step(400, 350), step(225, 525)]),
            steady(Unobtainable, One(400.0)),
            bursts(CallWaiting, One(400.0), &[step(100, 4000)]),
        ],
        source: "BT SIN 350",
    },
    Country {
        code: "hk",
        tolerance_hz: 10.0,
        tones: &[
            steady(Dial, Two(350.0, 440.0)),
            bursts(Ringback, Two(440.0, 480.0), &[step(400, 200), step(400, 3000)]),
            bursts(Busy, Two(480.0, 620.0), &[step(500, 500)]),
            bursts(Congestion, Two(480.0, 620.0), &[step(250, 250)]),
        ],
        source: OPERATIONAL_BULLETIN,
    },
    Country {
        code: "it",
        tolerance_hz: 15.0,
        tones: &[
            bursts(Dial, One(425.0), &[step(200, 200), step(600, 1000)]),
            bursts(Ringback, One(425.0), &[step(1000, 4000)]),
            bursts(Busy, One(425.0), &[step(500, 500)]),
            bursts(Congestion, One(425.0), &[step(200, 200)]),
        ],
        source: OPERATIONAL_BULLETIN,
    },
    Country {
        code: "jp",
        tolerance_hz: 20.0,
        tones: &[
            steady(Dial, One(400.0)),
            bursts(Ringback, Modulated(400.0), &[step(1000, 2000)]),
            bursts(Busy, One(400.0), &[step(500, 500)]),
        ],
        source: OPERATIONAL_BULLETIN,
    },
    Country {
        code: "nl",
        tolerance_hz: 25.0,
        tones: &[
            steady(Dial, One(425.0)),
            bursts(Ringback, One(425.0), &[step(1000, 4000)]),
            bursts(Busy, One(425.0), &[step(500, 500)]),
            bursts(Congestion, One(425.0), &[step(250, 250)]),
            bursts(CallWaiting, One(425.0), &[step(500, 9500)]),
            bursts(SpecialDial, One(425.0), &[step(500, 50)]),
        ],
        source: OPERATIONAL_BULLETIN,
    },
    Country {
        code: "ru",
        tolerance_hz: 25.0,
        tones: &[
            steady(Dial, One(425.0)),
            bursts(SpecialDial, One(425.0), &[step(400, 40)]),
            bursts(Ringback, One(425.0), &[step(1000, 4000)]),
            bursts(Busy, One(425.0), &[step(350, 350)]),
            bursts(Congestion, One(425.0), &[step(175, 175)]),
            bursts(CallWaiting, One(425.0), &[step(200, 5000)]),
        ],
        source: "OST 45.223-2001",
    },
    Country {
        code: "se",
        tolerance_hz: 15.0,
        tones: &[
            steady(Dial, One(425.0)),
            bursts(Ringback, One(425.0), &[step(1000, 5000)]),
            bursts(Busy, One(425.0), &[step(250, 250)]),
            bursts(Congestion, One(425.0), &[step(250, 750)]),
            bursts(CallWaiting, One(425.0), &[step(200, 500), step(200, 9100)]),
        ],
        source: OPERATIONAL_BULLETIN,
    },
    Country {
        code: "sg",
        tolerance_hz: 20.0,
        tones: &[
            steady(Dial, One(425.0)),
            bursts(Ringback, Modulated(425.0), &[step(400, 200), step(400, 2000)]),
            bursts(Busy, One(425.0), &[step(750, 750)]),
            bursts(Congestion, One(425.0), &[step(250, 250)]),
            bursts(CallWaiting, Modulated(425.0), &[step(300, 200), step(300, 3200)]),
            bursts(Unobtainable, One(425.0), &[step(2500, 500)]),
        ],
        source: "IDA TS PSTN 1",
    },
    Country {
        code: "tw",
        tolerance_hz: 10.0,
        tones: &[
            steady(Dial, Two(350.0, 440.0)),
            bursts(Ringback, Two(440.0, 480.0), &[step(1000, 2000)]),
            bursts(Busy, Two(480.0, 620.0), &[step(500, 500)]),
            bursts(Congestion, Two(480.0, 620.0), &[step(250, 250)]),
            bursts(CallWaiting, Two(350.0, 440.0), &[step(250, 250), step(250, 3250)]),
        ],
        source: OPERATIONAL_BULLETIN,
    },
    Country { code: "us", tolerance_hz: 10.0, tones: PRECISE, source: PRECISE_TONE_PLAN },
];

/// The table of a country by its two-letter code in any case; `uk` stands for `gb`. `None`: no table.
pub fn country(code: &str) -> Option<&'static Country> {
    let code = if code.eq_ignore_ascii_case("uk") { "gb" } else { code };
    COUNTRIES.iter().find(|country| country.code.eq_ignore_ascii_case(code))
}

/// China, the default.
pub fn china() -> &'static Country {
    // The first one stands in only if the table is edited wrongly; a test sees to it.
    country("cn").unwrap_or(&COUNTRIES[0])
}

impl Sound {
    /// The frequencies of this sound, the second `None` for a single one.
    pub fn hertz(self) -> (f32, Option<f32>) {
        match self {
            Self::One(hertz) | Self::Modulated(hertz) => (hertz, None),
            Self::Two(low, high) => (low, Some(high)),
        }
    }
}

impl Country {
    /// How long a burst must last to be the steady tone `steady`, in milliseconds: 1.2 s, and clearly longer than any
    /// burst of the same sound. A howler is kept up for long, and notes of music come near its frequency.
    pub fn steady_after_ms(&self, steady: &SupervisoryTone) -> u32 {
        if steady.tone == Howler {
            return 2500;
        }
        let longest = self
            .tones
            .iter()
            .filter(|tone| tone.sound == steady.sound)
            .flat_map(|tone| {
                tone.cadence.iter().map(|step| f32::from(step.on_ms) * (1.0 + tone.cadence_tolerance))
            })
            .fold(0.0, f32::max);
        (longest + 80.0).max(1200.0) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_china_is_in_it() {
        assert!(COUNTRIES.is_sorted_by(|a, b| a.code < b.code));
        assert_eq!(china().code, "cn");
        assert_eq!(country("UK").map(|c| c.code), Some("gb"));
        assert!(country("zz").is_none());
    }

    #[test]
    fn no_two_tones_of_a_country_are_alike() {
        for country in COUNTRIES {
            assert!(country.tones.len() <= MOST_TONES, "{}", country.code);
            for (i, a) in country.tones.iter().enumerate() {
                assert!((0.05..=0.2).contains(&a.cadence_tolerance), "{}", country.code);
                for b in &country.tones[i + 1..] {
                    assert_ne!(a.tone, b.tone, "{}", country.code);
                    assert!(a.sound != b.sound || a.cadence != b.cadence, "{}: {:?}", country.code, a.tone);
                }
            }
        }
    }

    #[test]
    fn a_dial_tone_takes_longer_than_a_burst_of_ringback() {
        assert_eq!(china().steady_after_ms(&china().tones[0]), 1200);
        assert_eq!(country("fr").map(|fr| fr.steady_after_ms(&fr.tones[0])), Some(1730));
    }
}
