//! Voice activity on real speech with known edges, and on everything that is no voice.

use hookline_signal::{Bank, BankConfig, Detection, LANES, SampleIndex};
use hookline_test_kit::corpus::{self, Speech};
use hookline_test_kit::spandsp::{
    CallerIdForm, CallerIdMessage, CallerIdOptions, DtmfTone, Noise, ToneStep, caller_id, dtmf, tone,
};

/// The first sample of a voice, or the one behind its last.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Heard {
    Start(u64),
    Stop(u64),
}

/// Runs tracks side by side, [`LANES`] at a time.
fn hear<T: AsRef<[i16]>>(tracks: &[T]) -> Vec<Vec<Heard>> {
    const BLOCK: usize = 80;
    let config = BankConfig { country: "cn".into(), voice_above_dbm0: -38.0 };
    let mut all = Vec::new();
    for tracks in tracks.chunks(LANES) {
        let mut bank = Bank::new(&vec![config.clone(); tracks.len()]);
        let length = tracks.iter().map(|track| track.as_ref().len()).max().unwrap_or(0);
        let mut heard: Vec<Vec<Heard>> = tracks.iter().map(|_| Vec::new()).collect();
        let mut block = vec![0; BLOCK * tracks.len()];
        for first in (0..length).step_by(BLOCK) {
            for (samples, track) in block.chunks_mut(BLOCK).zip(tracks) {
                let track = track.as_ref();
                let track = &track[first.min(track.len())..(first + BLOCK).min(track.len())];
                samples[..track.len()].copy_from_slice(track);
                samples[track.len()..].fill(0);
            }
            bank.process(&block, SampleIndex(first as u64), &mut |track, detection| match detection {
                Detection::VoiceStart { at } => heard[track].push(Heard::Start(at.0)),
                Detection::VoiceStop { at } => heard[track].push(Heard::Stop(at.0 + 1)),
                _ => {}
            });
        }
        all.extend(heard);
    }
    all
}

/// Errors in milliseconds of the first start and the last stop on each track; infinite where there is none.
fn errors(tracks: &[Vec<i16>], truth: &[(usize, usize)]) -> (Vec<f64>, Vec<f64>) {
    let (mut starts, mut stops) = (Vec::new(), Vec::new());
    let ms = |at: Option<u64>, truth: usize| at.map_or(f64::INFINITY, |at| (at as f64 - truth as f64) / 8.0);
    for (&(start, stop), heard) in truth.iter().zip(hear(tracks)) {
        let first =
            heard.iter().find_map(|heard| if let Heard::Start(at) = heard { Some(*at) } else { None });
        let last =
            heard.iter().rev().find_map(|heard| if let Heard::Stop(at) = heard { Some(*at) } else { None });
        starts.push(ms(first, start));
        stops.push(ms(last, stop));
    }
    (starts, stops)
}

/// Prints the errors; gives how many of them are beyond 20 ms, and the worst.
fn show(name: &str, errors: &mut [f64]) -> (usize, f64) {
    errors.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let count = errors.len();
    let beyond = errors.iter().filter(|error| error.abs() > 20.0).count();
    let worst = errors[count - 1].abs();
    println!(
        "{name}: median {:.1}, 99 % {:.1}, worst {worst:.1} ms; {beyond} of {count} beyond 20 ms",
        errors[count / 2].abs(),
        errors[count * 99 / 100].abs()
    );
    (beyond, worst)
}

/// Sixty clips of each language, each behind `lead`, in noise.
fn speech_behind(lead: &[i16], noise_dbm0: f32) -> (Vec<Vec<i16>>, Vec<(usize, usize)>) {
    let (mut tracks, mut truth) = (Vec::new(), Vec::new());
    for language in corpus::LANGUAGES {
        let speech = Speech::load(language).expect("speech");
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..60 {
            let mut audio = lead.to_vec();
            audio.extend(speech.clip(&mut random, 4.0));
            truth.push((lead.len(), audio.len()));
            audio.resize(audio.len() + 8000, 0);
            tracks.push(with_noise(audio, tracks.len() as u32 + 1, noise_dbm0));
        }
    }
    (tracks, truth)
}

fn with_noise(mut audio: Vec<i16>, seed: u32, dbm0: f32) -> Vec<i16> {
    Noise::new(seed, dbm0).expect("noise").add_to(&mut audio);
    audio
}

#[test]
fn speech_begins_and_ends_where_it_does() {
    for noise_dbm0 in [-75.0, -60.0, -50.0, -45.0] {
        let (tracks, truth) = speech_behind(&[0; 8123], noise_dbm0);
        let (mut starts, mut stops) = errors(&tracks, &truth);
        let start = show(&format!("noise {noise_dbm0} dBm0, start"), &mut starts);
        let stop = show(&format!("noise {noise_dbm0} dBm0, stop"), &mut stops);
        assert!(start.1.max(stop.1) <= 20.0);
    }
}

#[test]
fn an_answer_behind_ringback_begins_where_it_does() {
    let step = |hertz, ms| ToneStep { hertz, dbm0: -10.0, ms };
    let lead =
        tone(&[step(0.0, 500), step(450.0, 1000), step(0.0, 4000), step(450.0, 1000), step(0.0, 1500)]);
    let (tracks, truth) = speech_behind(&lead, -60.0);
    let (mut starts, _) = errors(&tracks, &truth);
    let (_, worst) = show("behind ringback, start", &mut starts);
    assert!(worst <= 20.0);
}

#[test]
fn what_is_no_voice() {
    let step = |hertz, dbm0, ms| ToneStep { hertz, dbm0, ms };
    let silence = |ms| step(0.0, 0.0, ms);
    let mut cases: Vec<(String, Vec<i16>)> = Vec::new();
    for dbm0 in [-30.0, -20.0, -10.0] {
        cases.push((format!("noise of {dbm0} dBm0"), with_noise(vec![0; 80_000], 5, dbm0)));
        let mut late = vec![0; 8000];
        late.extend(with_noise(vec![0; 80_000], 6, dbm0));
        cases.push((format!("noise of {dbm0} dBm0 behind silence"), late));
        for hertz in [50.0, 100.0, 450.0, 1004.0] {
            let steady = tone(&[silence(1000), step(hertz, dbm0, 8000), silence(1000)]);
            cases.push((format!("{hertz} Hz of {dbm0} dBm0"), with_noise(steady, 7, -60.0)));
            let busy: Vec<_> = (0..20).flat_map(|_| [step(hertz, dbm0, 350), silence(350)]).collect();
            cases.push((format!("{hertz} Hz of {dbm0} dBm0 in bursts"), with_noise(tone(&busy), 8, -60.0)));
        }
        for (on_ms, off_ms) in
            [(40.0, 40.0), (50.0, 50.0), (70.0, 70.0), (100.0, 100.0), (200.0, 100.0), (500.0, 100.0)]
        {
            let how = DtmfTone { low_dbm0: dbm0, on_ms, off_ms, ..DtmfTone::default() };
            let digits = dtmf("0123456789*#ABCD0123456789", &how).expect("dtmf");
            cases.push((format!("DTMF of {dbm0} dBm0, {on_ms}/{off_ms} ms"), with_noise(digits, 9, -60.0)));
        }
    }
    let message = CallerIdMessage {
        number: Some("13912345678".into()),
        time: Some("11221030".into()),
        ..CallerIdMessage::default()
    };
    for form in CallerIdForm::ALL {
        for (level_dbm0, noise_dbm0) in [(-8.0, -60.0), (-14.0, -34.0), (-24.0, -60.0)] {
            let options = CallerIdOptions { level_dbm0, ..CallerIdOptions::default() };
            let mut audio = vec![0; 4000];
            audio.extend(caller_id(form, &message, &options).expect("caller ID"));
            audio.resize(audio.len() + 8000, 0);
            cases.push((format!("{} of {level_dbm0} dBm0", form.name()), with_noise(audio, 10, noise_dbm0)));
        }
    }
    let tracks: Vec<&[i16]> = cases.iter().map(|(_, audio)| audio.as_slice()).collect();
    let wrong: Vec<String> = cases
        .iter()
        .zip(hear(&tracks))
        .filter(|(_, heard)| !heard.is_empty())
        .map(|((name, _), heard)| format!("{name}: {heard:?}"))
        .collect();
    println!("{} of {} signals are taken for voice", wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
