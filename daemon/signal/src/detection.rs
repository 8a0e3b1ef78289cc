//! What the detectors say. Every detection carries the sample at which the thing happened on the line, which is
//! earlier than the moment it was noticed.

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};

use crate::SampleIndex;

/// One thing heard on one track.
#[derive(Clone, Debug, PartialEq)]
pub enum Detection {
    /// A DTMF digit that has ended: `at` its first sample, `samples` its length.
    Digit {
        at: SampleIndex,
        digit: Digit,
        samples: u32,
    },
    /// A whole caller-ID message with a right checksum: `at` the first sample of its first bit.
    CallerId {
        at: SampleIndex,
        caller_id: CallerId,
    },
    /// `at` the first sample of the first burst, although a cadence is named later.
    ToneStart {
        at: SampleIndex,
        tone: Tone,
    },
    ToneStop {
        at: SampleIndex,
        tone: Tone,
    },
    VoiceStart {
        at: SampleIndex,
    },
    /// `at` the last sample of voice, known after the hangover.
    VoiceStop {
        at: SampleIndex,
    },
}

/// One of the sixteen DTMF digits as its character: `0`–`9`, `*`, `#`, `A`–`D` (ITU-T Q.23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digit(pub u8);

impl Digit {
    pub fn as_char(self) -> char {
        char::from(self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallerIdStandard {
    FskBell202,
    #[serde(rename = "fsk-v23")]
    FskV23,
    Dtmf,
}

/// What a caller-ID message said; what it did not say is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerId {
    pub number: Option<ArrayString<32>>,
    pub name: Option<ArrayString<64>>,
    /// `MM-DDThh:mm`
    pub time: Option<ArrayString<11>>,
    pub standard: CallerIdStandard,
}

/// Supervisory tones (ITU-T E.180; China: GB/T 3380).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tone {
    Dial,
    SpecialDial,
    Ringback,
    Busy,
    Congestion,
    Unobtainable,
    CallWaiting,
    Howler,
}
