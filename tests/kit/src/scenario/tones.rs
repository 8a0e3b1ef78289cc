//! The supervisory tones of China as the exchange sends them (GB/T 3380-1982, YDN 065).

use crate::spandsp::{ToneStep, tone};

/// A tone: its name in events and one turn of its cadence as (on ms, off ms); no cadence means a steady tone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tone {
    pub name: &'static str,
    pub hertz: f32,
    pub cadence_ms: &'static [(u32, u32)],
}

pub const TONES: [Tone; 8] = [
    Tone { name: "dial", hertz: 450.0, cadence_ms: &[] },
    Tone { name: "special-dial", hertz: 450.0, cadence_ms: &[(400, 40)] },
    Tone { name: "ringback", hertz: 450.0, cadence_ms: &[(1000, 4000)] },
    Tone { name: "busy", hertz: 450.0, cadence_ms: &[(350, 350)] },
    Tone { name: "congestion", hertz: 450.0, cadence_ms: &[(700, 700)] },
    Tone {
        name: "unobtainable",
        hertz: 450.0,
        cadence_ms: &[(100, 100), (100, 100), (100, 100), (400, 400)],
    },
    Tone { name: "call-waiting", hertz: 450.0, cadence_ms: &[(400, 3600)] },
    Tone { name: "howler", hertz: 950.0, cadence_ms: &[] },
];

impl Tone {
    pub fn named(name: &str) -> Option<Self> {
        TONES.into_iter().find(|tone| tone.name == name)
    }

    /// One turn of the cadence, in ms; 0 for a steady tone.
    pub fn turn_ms(&self) -> u32 {
        self.cadence_ms.iter().map(|(on, off)| on + off).sum()
    }

    /// `ms` of one burst without a cadence.
    pub fn burst(&self, ms: u32, dbm0: f32) -> Vec<i16> {
        tone(&[ToneStep { hertz: self.hertz, dbm0, ms }])
    }

    /// `turns` of the cadence, or a steady tone of `turns` seconds, without the pause behind the last burst.
    /// `cadence` stretches every time; 1.0 is nominal. The howler rises from 15 dB below `dbm0` to it.
    pub fn play(&self, turns: u32, dbm0: f32, detune_hz: f32, cadence: f32) -> Vec<i16> {
        let hertz = self.hertz + detune_hz;
        let stretch = |ms: u32| (ms as f32 * cadence).round() as u32;
        let steps: Vec<ToneStep> = if self.name == "howler" {
            let last = (turns * 2).saturating_sub(1).max(1);
            (0..turns * 2)
                .map(|half| ToneStep { hertz, dbm0: dbm0 - 15.0 + 15.0 * half as f32 / last as f32, ms: 500 })
                .collect()
        } else if self.cadence_ms.is_empty() {
            vec![ToneStep { hertz, dbm0, ms: turns * 1000 }]
        } else {
            let turn = self.cadence_ms.iter().flat_map(|&(on, off)| {
                [
                    ToneStep { hertz, dbm0, ms: stretch(on) },
                    ToneStep { hertz: 0.0, dbm0: 0.0, ms: stretch(off) },
                ]
            });
            let mut steps: Vec<_> = (0..turns).flat_map(|_| turn.clone()).collect();
            steps.pop();
            steps
        };
        tone(&steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level_dbm0;

    #[test]
    fn tones_have_their_length_and_end_with_a_burst() {
        for tone in TONES {
            let audio = tone.play(3, -10.0, 0.0, 1.0);
            let pause = tone.cadence_ms.last().map_or(0, |(_, off)| *off);
            let expected = if tone.cadence_ms.is_empty() { 3000 } else { 3 * tone.turn_ms() - pause };
            assert_eq!(audio.len(), expected as usize * 8, "{}", tone.name);
            assert!(level_dbm0(&audio[audio.len() - 80..]) > -11.0, "{}", tone.name);
        }
    }
}
