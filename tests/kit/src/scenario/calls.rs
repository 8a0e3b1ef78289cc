//! Telephone calls as they go on a Chinese subscriber's line, each a script of what the caller, the exchange and the
//! line do, with the truth about it.

use serde_json::json;

use super::{Line, Side, Tone};
use crate::audio::{samples, seconds};
use crate::corpus::Speech;
use crate::spandsp::{
    CallerIdForm, CallerIdMessage, CallerIdOptions, DtmfTone, SpandspError, caller_id, dtmf,
};

/// What the exchange sends, dBm0; GB/T 3380: −10 ±3 dBm.
const TONE_DBM0: f32 = -10.0;
/// The far side comes through the network: a little weaker than the near one.
const FAR_LOSS_DB: f64 = 4.0;

/// How an incoming call ends up.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub caller_id: Option<(CallerIdForm, CallerIdMessage)>,
    /// Rings before the answer, or before the caller gives up.
    pub rings: u32,
    pub answer: Option<Answer>,
    /// The caller's number stands on the line's do-not-record list.
    pub withheld: bool,
}

/// An answered incoming call.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// In the middle of a further ring instead of in the pause.
    pub while_ringing: bool,
    pub talk_s: f64,
    pub then: Vec<Happening>,
    /// The far side hangs up first; busy tone is heard.
    pub far_hangs_up: bool,
}

/// Things during a conversation, each followed by more talk.
#[derive(Clone, Debug)]
pub enum Happening {
    Flash,
    CallWaiting,
    /// The near side keys digits, as for a voice menu.
    Digits(String),
    /// The line breaks; the call is over.
    LineLost {
        lost_s: f64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialling {
    Dtmf,
    Pulse,
}

/// How an outgoing call ends up.
#[derive(Clone, Debug)]
pub enum Outcome {
    AnsweredByReversal {
        ringbacks: u32,
        answer: Answer,
    },
    AnsweredByVoice {
        ringbacks: u32,
        answer: Answer,
    },
    /// No ringback was heard; the far side simply speaks.
    AnsweredAtOnce {
        answer: Answer,
    },
    /// `busy`, `congestion` or `unobtainable`.
    Refused {
        tone: &'static str,
        turns: u32,
    },
    NoAnswer {
        ringbacks: u32,
    },
}

#[derive(Clone, Debug)]
pub struct Outgoing {
    pub number: String,
    pub dialling: Dialling,
    /// The stuttering dial tone of a line with a message waiting.
    pub special_dial_tone: bool,
    pub outcome: Outcome,
}

fn tone_named(name: &'static str) -> Tone {
    Tone::named(name).unwrap_or(super::TONES[0])
}

impl Line {
    /// A caller-ID message, said at its first bit or digit.
    pub fn send_caller_id(
        &mut self,
        form: CallerIdForm,
        message: &CallerIdMessage,
        how: &CallerIdOptions,
    ) -> Result<(), SpandspError> {
        let audio = caller_id(form, message, how)?;
        let time = message.time.as_ref().filter(|_| !form.is_dtmf());
        let time = time.map(|time| format!("{}-{}T{}:{}", &time[..2], &time[2..4], &time[4..6], &time[6..8]));
        let name = message
            .name
            .as_ref()
            .filter(|_| matches!(form, CallerIdForm::Bell202Mdmf | CallerIdForm::V23Mdmf));
        self.say(
            "caller_id",
            [
                ("number", json!(message.number)),
                ("name", json!(name)),
                ("time", json!(time)),
                ("standard", json!(form.standard())),
            ],
        );
        self.play(Side::Far, &audio);
        Ok(())
    }

    /// DTMF from the near side, with pauses as a person or a phone makes them.
    pub fn key(&mut self, digits: &str) -> Result<(), SpandspError> {
        for digit in digits.chars() {
            let on_ms = self.random.u32(70..130);
            let how = DtmfTone {
                low_dbm0: self.between(-14.0, -7.0) as f32,
                twist_db: self.between(-1.0, 3.0) as f32,
                on_ms: on_ms as f32,
                off_ms: 0.0,
                ..Default::default()
            };
            self.say("digit", [("digit", json!(digit.to_string())), ("duration_ms", json!(on_ms))]);
            let audio = dtmf(&digit.to_string(), &how)?;
            self.play(Side::Near, &audio);
            let pause_s = self.between(0.07, 0.18);
            self.wait(pause_s);
        }
        Ok(())
    }

    /// Both sides take turns for about `talk_s`, `first` beginning.
    pub fn talk(&mut self, speech: &Speech, first: Side, talk_s: f64) {
        let end = self.now() + samples(talk_s);
        let mut side = first;
        while self.now() < end {
            let most_s = self.between(2.0, 7.0).min(seconds(end - self.now()));
            let mut clip = speech.clip(&mut self.random, most_s).to_vec();
            if side == Side::Far {
                crate::audio::amplify(&mut clip, -FAR_LOSS_DB);
            }
            self.play(side, &clip);
            let pause_s = self.between(0.2, 0.8);
            self.wait(pause_s);
            side = if side == Side::Near { Side::Far } else { Side::Near };
        }
    }

    fn conversation(&mut self, speech: &Speech, first: Side, answer: &Answer) -> Result<(), SpandspError> {
        let part_s = answer.talk_s / (answer.then.len() + 1) as f64;
        self.talk(speech, first, part_s);
        for happening in &answer.then {
            match happening {
                Happening::Flash => {
                    let ms = self.random.u32(250..600);
                    self.hook_flash(ms);
                    self.wait(0.5);
                }
                Happening::CallWaiting => {
                    self.wait(0.4);
                    self.tone(tone_named("call-waiting"), 3, TONE_DBM0 - 6.0);
                    self.wait(1.0);
                }
                Happening::Digits(digits) => {
                    self.wait(0.3);
                    self.key(digits)?;
                    self.wait(0.3);
                }
                Happening::LineLost { lost_s } => {
                    self.lose_line(*lost_s);
                    return Ok(());
                }
            }
            self.talk(speech, first, part_s);
        }
        if answer.far_hangs_up {
            if self.is_reversed() {
                self.wait(0.5);
                self.reverse_polarity();
            }
            self.wait(0.6);
            let turns = self.random.u32(4..8);
            self.tone(tone_named("busy"), turns, TONE_DBM0);
            self.wait(0.1);
        }
        self.on_hook();
        if self.is_reversed() {
            self.wait(0.9);
            self.reverse_polarity();
        }
        Ok(())
    }

    /// An incoming call from its first sign to the end. Rings are 1 s, every 5 s.
    pub fn incoming(&mut self, speech: &Speech, call: &Incoming) -> Result<(), SpandspError> {
        self.call_type = Some(if call.answer.is_some() { "incoming_answered" } else { "incoming_missed" });
        self.peer_number = call.caller_id.as_ref().and_then(|(_, message)| message.number.clone());
        self.withheld = call.withheld;
        let how = CallerIdOptions { level_dbm0: self.between(-22.0, -10.0) as f32, ..Default::default() };
        if let Some((form, message)) = call.caller_id.as_ref().filter(|(form, _)| form.is_dtmf()) {
            self.send_caller_id(*form, message, &how)?;
            self.wait(0.4);
        }
        for ring in 0..call.rings {
            self.ring(1.0);
            let pause_end = self.now_s() + 4.0;
            if let (0, Some((form, message))) =
                (ring, call.caller_id.as_ref().filter(|(form, _)| !form.is_dtmf()))
            {
                self.wait(0.6);
                self.send_caller_id(*form, message, &how)?;
            }
            let last = ring + 1 == call.rings;
            match &call.answer {
                Some(answer) if last && !answer.while_ringing => {
                    let pause_s = self.between(0.4, 1.8);
                    self.wait(pause_s);
                }
                _ => self.wait_until(pause_end),
            }
        }
        let Some(answer) = &call.answer else {
            self.note_call_without_audio();
            self.withheld = false;
            return Ok(());
        };
        if answer.while_ringing {
            let ring_s = self.between(0.3, 0.8);
            self.ring(ring_s);
        }
        self.off_hook();
        self.wait(0.5);
        self.conversation(speech, Side::Near, answer)
    }

    /// An outgoing call from off-hook to on-hook.
    pub fn outgoing(&mut self, speech: &Speech, call: &Outgoing) -> Result<(), SpandspError> {
        self.off_hook();
        self.wait(0.25);
        if call.special_dial_tone {
            let turns = self.random.u32(5..8);
            self.tone(tone_named("special-dial"), turns, TONE_DBM0);
        } else {
            let dial = tone_named("dial");
            self.say("tone_start", [("tone", json!("dial"))]);
            let ms = self.random.u32(1600..2800);
            self.play(Side::Far, &dial.burst(ms, TONE_DBM0));
            self.say("tone_stop", [("tone", json!("dial"))]);
        }
        match call.dialling {
            Dialling::Dtmf => self.key(&call.number)?,
            Dialling::Pulse => {
                for digit in call.number.chars() {
                    self.pulse_digit(digit);
                    let pause_s = self.between(0.75, 1.0);
                    self.wait(pause_s);
                }
            }
        }
        self.peer_number = Some(call.number.clone());
        let pause_s = self.between(0.8, 1.6);
        self.wait(pause_s);

        let answered = match &call.outcome {
            Outcome::AnsweredByReversal { .. }
            | Outcome::AnsweredByVoice { .. }
            | Outcome::AnsweredAtOnce { .. } => true,
            Outcome::Refused { .. } | Outcome::NoAnswer { .. } => false,
        };
        self.call_type = Some(if answered { "outgoing_answered" } else { "outgoing_unanswered" });
        match &call.outcome {
            Outcome::AnsweredByReversal { ringbacks, answer } => {
                self.tone(tone_named("ringback"), *ringbacks, TONE_DBM0);
                let pause_s = self.between(0.5, 2.5);
                self.wait(pause_s);
                self.reverse_polarity();
                self.wait(0.4);
                self.conversation(speech, Side::Far, answer)
            }
            Outcome::AnsweredByVoice { ringbacks, answer } => {
                self.tone(tone_named("ringback"), *ringbacks, TONE_DBM0);
                let pause_s = self.between(0.8, 2.5);
                self.wait(pause_s);
                self.conversation(speech, Side::Far, answer)
            }
            Outcome::AnsweredAtOnce { answer } => {
                self.wait(1.0);
                self.conversation(speech, Side::Far, answer)
            }
            Outcome::Refused { tone, turns } => {
                self.tone(tone_named(tone), *turns, TONE_DBM0);
                self.wait(0.1);
                self.on_hook();
                Ok(())
            }
            Outcome::NoAnswer { ringbacks } => {
                self.tone(tone_named("ringback"), *ringbacks, TONE_DBM0);
                self.wait(1.0);
                self.on_hook();
                Ok(())
            }
        }
    }

    /// Off-hook, dial tone, nothing dialled; after a while the howler asks to hang up.
    pub fn left_off_hook(&mut self, dial_s: u32, howler_s: u32) {
        self.off_hook();
        self.wait(0.25);
        self.tone(tone_named("dial"), dial_s, TONE_DBM0);
        if howler_s > 0 {
            self.wait(1.0);
            self.tone(tone_named("howler"), howler_s, TONE_DBM0 + 4.0);
        }
        self.wait(0.4);
        self.on_hook();
    }

    /// A voice-started recording: somebody speaks for about `talk_s` with pauses under a second, then it is quiet for
    /// `quiet_s`, longer than `silence_stop_s`.
    pub fn spoken(&mut self, speech: &Speech, talk_s: f64, quiet_s: f64) {
        self.open_recording("voice");
        self.call_type = Some("unknown");
        let end = self.now() + samples(talk_s);
        let mut last_voice = self.now();
        while self.now() < end {
            let clip = speech.clip(&mut self.random, 6.0).to_vec();
            self.play(Side::Near, &clip);
            last_voice = self.now();
            let pause_s = self.between(0.2, 0.9);
            self.wait(pause_s);
        }
        let pause = self.now() - last_voice;
        self.rewind(pause);
        self.close_recording("silence");
        self.call_type = None;
        self.wait(quiet_s);
    }
}
