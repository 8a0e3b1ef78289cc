//! Voice activity on real speech with known edges, and on everything that is no voice.

use hookline_signal::{Bank, BankConfig, Detection, LANES, SampleIndex};
use hookline_test_kit::corpus::{self, Speech};
use hookline_test_kit::spandsp::{
    CallerIdForm, CallerIdMessage, CallerIdOptions, DtmfTone, Noise, ToneStep, caller_id, dtmf, tone,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Heard {
    Start(u64),
    /// Behind the last sample.
    Stop(u64),
}

fn hear(tracks: &[Vec<i16>]) -> Vec<Vec<Heard>> {
    const BLOCK: usize = 80;
    let config = BankConfig { country: "cn".into(), voice_above_dbm0: -38.0 };
    let mut all = Vec::new();
    for tracks in tracks.chunks(LANES) {
        let mut bank = Bank::new(&vec![config.clone(); tracks.len()]);
        let length = tracks.iter().map(|track| track.len()).max().unwrap_or(0);
        let mut heard: Vec<Vec<Heard>> = tracks.iter().map(|_| Vec::new()).collect();
        let mut block = vec![0; BLOCK * tracks.len()];
        for first in (0..length).step_by(BLOCK) {
            for (samples, track) in block.chunks_mut(BLOCK).zip(tracks) {
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

#[test]
fn speech_begins_and_ends_where_it_does() {
    const LEAD: usize = 8123;
    for noise in [-75.0f32, -60.0, -50.0] {
        let (mut tracks, mut truth) = (Vec::new(), Vec::new());
        for language in corpus::LANGUAGES {
            let speech = Speech::load(language).expect("speech");
            let mut random = fastrand::Rng::with_seed(7);
            for _ in 0..60 {
                let clip = speech.clip(&mut random, 4.0);
                let mut audio = vec![0i16; LEAD];
                audio.extend_from_slice(clip);
                truth.push((LEAD as u64, audio.len() as u64));
                audio.extend(vec![0; 8000]);
                Noise::new(tracks.len() as u32 + 1, noise).expect("noise").add_to(&mut audio);
                tracks.push(audio);
            }
        }
        let (mut starts, mut stops) = (Vec::new(), Vec::new());
        for ((start, stop), heard) in truth.iter().zip(hear(&tracks)) {
            let first = heard.iter().find_map(|h| if let Heard::Start(at) = h { Some(*at) } else { None });
            let last =
                heard.iter().rev().find_map(|h| if let Heard::Stop(at) = h { Some(*at) } else { None });
            if first.is_none_or(|at| at.abs_diff(*start) > 320) {
                println!("late: {start} {stop} {heard:?}");
            }
            starts.push(first.map_or(1e9, |at| at as f64 - *start as f64) / 8.0);
            stops.push(last.map_or(1e9, |at| at as f64 - *stop as f64) / 8.0);
        }
        let show = |name: &str, v: &mut Vec<f64>| {
            v.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
            let n = v.len();
            println!(
                "noise {noise}: {name} of {n}: median {:.1} p90 {:.1} p99 {:.1} worst {:?} ms, {} beyond 20, {} beyond 40",
                v[n / 2],
                v[n * 9 / 10],
                v[n * 99 / 100],
                &v[n - 8..],
                v.iter().filter(|x| x.abs() > 20.0).count(),
                v.iter().filter(|x| x.abs() > 40.0).count()
            );
        };
        show("start", &mut starts);
        show("stop", &mut stops);
    }
}

fn noisy(mut audio: Vec<i16>, dbm0: f32) -> Vec<i16> {
    Noise::new(5, dbm0).expect("noise").add_to(&mut audio);
    audio
}

#[test]
fn what_is_no_voice() {
    let silence = |ms| ToneStep { hertz: 0.0, dbm0: 0.0, ms };
    let mut cases: Vec<(String, Vec<i16>)> = Vec::new();
    for dbm0 in [-30.0, -20.0, -10.0] {
        let mut quiet_first = vec![0i16; 8000];
        quiet_first.extend(noisy(vec![0; 80_000], dbm0));
        cases.push((format!("noise {dbm0}"), noisy(vec![0; 80_000], dbm0)));
        cases.push((format!("noise {dbm0} behind silence"), quiet_first));
        for hertz in [50.0, 100.0, 450.0, 1004.0] {
            let mut steps = vec![silence(1000), ToneStep { hertz, dbm0, ms: 8000 }, silence(1000)];
            cases.push((format!("{hertz} Hz {dbm0}"), noisy(tone(&steps), -60.0)));
            steps = (0..20).flat_map(|_| [ToneStep { hertz, dbm0, ms: 350 }, silence(350)]).collect();
            cases.push((format!("{hertz} Hz {dbm0} busy"), noisy(tone(&steps), -60.0)));
        }
        for (on, off) in [(50, 50), (70, 70), (100, 100), (200, 100), (40, 40), (500, 100)] {
            let how =
                DtmfTone { low_dbm0: dbm0, on_ms: on as f32, off_ms: off as f32, ..DtmfTone::default() };
            cases.push((
                format!("DTMF {dbm0} {on}/{off}"),
                noisy(dtmf("0123456789*#ABCD0123456789", &how).expect("dtmf"), -60.0),
            ));
        }
    }
    let message = CallerIdMessage {
        number: Some("13912345678".into()),
        time: Some("11221030".into()),
        ..CallerIdMessage::default()
    };
    for form in CallerIdForm::ALL {
        for dbm0 in [-10.0, -20.0] {
            let mut audio = vec![0i16; 4000];
            audio.extend(
                caller_id(
                    form,
                    &message,
                    &CallerIdOptions { level_dbm0: dbm0, ..CallerIdOptions::default() },
                )
                .expect("caller id"),
            );
            audio.extend([0i16; 8000]);
            cases.push((format!("caller ID {form:?} {dbm0}"), noisy(audio, -60.0)));
        }
    }
    let tracks: Vec<Vec<i16>> = cases.iter().map(|(_, audio)| audio.clone()).collect();
    let mut wrong = 0;
    for ((name, _), heard) in cases.iter().zip(hear(&tracks)) {
        if !heard.is_empty() {
            wrong += 1;
            println!("{name}: {} {:?}", heard.len(), &heard[..heard.len().min(4)]);
        }
    }
    println!("{wrong} of {} are taken for voice", cases.len());
}
