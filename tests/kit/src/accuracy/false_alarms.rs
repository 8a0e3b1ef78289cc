//! Real speech and music, in which there is no digit, no tone and no caller ID: what is heard nevertheless.

use std::path::PathBuf;

use super::{Bench, MeasureError, Row, Section, Verdict, folder, off_hook_line};
use crate::audio::{samples, seconds};
use crate::corpus::{LANGUAGES, music, prompts};
use crate::replay::detect;
use crate::scenario::{ScenarioFolder, Side};
use crate::spandsp::{CallerIdForm, Heard, Receiver, ReceiverParts, SupervisoryTone};

/// One port of material and which file begins at which sample.
struct Material {
    audio: Vec<i16>,
    /// Without what was put between the files.
    spoken_s: f64,
    files: Vec<(usize, PathBuf)>,
}

impl Material {
    /// Files one after another with 0.3 s between them; in a short run only every tenth.
    fn of(files: Vec<(PathBuf, Vec<i16>)>, short: bool) -> Self {
        let mut material = Self { audio: vec![0; samples(0.5)], spoken_s: 0.0, files: Vec::new() };
        for (_, (path, audio)) in files.into_iter().enumerate().filter(|(index, _)| !short || index % 10 == 0)
        {
            material.files.push((material.audio.len(), path));
            material.spoken_s += seconds(audio.len());
            material.audio.extend(audio);
            material.audio.resize(material.audio.len() + samples(0.3), 0);
        }
        material
    }

    fn file_at(&self, t: f64) -> String {
        let file = self.files.iter().rfind(|(at, _)| seconds(*at) <= t);
        file.map_or("before the first file".into(), |(at, path)| {
            format!("{:.2} s into {}", t - seconds(*at), path.display())
        })
    }
}

/// What spandsp's receivers heard: digits, tones, caller IDs.
fn by_peer(audio: &[i16]) -> Result<[usize; 3], MeasureError> {
    let parts = [
        ReceiverParts { dtmf: true, ..Default::default() },
        ReceiverParts { tones: SupervisoryTone::china(), ..Default::default() },
        ReceiverParts { caller_id: Some(CallerIdForm::Bell202Mdmf), ..Default::default() },
    ];
    let mut counts = [0; 3];
    for (count, parts) in counts.iter_mut().zip(parts) {
        let mut receiver = Receiver::new(parts)?;
        for block in audio.chunks(160) {
            receiver.hear(block);
        }
        *count = receiver.heard().iter().filter(|heard| !matches!(heard, Heard::ToneEnd { .. })).count();
    }
    Ok(counts)
}

pub fn run(bench: &Bench) -> Result<Section, MeasureError> {
    let mut speech = Vec::new();
    for language in LANGUAGES {
        speech.push(Material::of(prompts(language)?, bench.short));
    }
    let music: Vec<_> = music()?
        .into_iter()
        .take(if bench.short { 1 } else { 99 })
        .map(|piece| Material::of(vec![piece], false))
        .collect();

    let scenario = folder(bench, "false-alarms");
    let mut made = ScenarioFolder::create(&scenario)?;
    for (index, material) in speech.iter().chain(&music).enumerate() {
        let mut line = off_hook_line(index as u16 + 1, 1);
        line.play(Side::Near, &material.audio);
        line.wait(1.0);
        let length_s = line.now_s();
        made.add(line, length_s)?;
    }
    made.finish()?;
    let (events, _) = detect(&bench.hookline, &scenario, &["--arm", "caller-id"])?;

    let mut section = Section::default();
    let mut peer_total = [0; 3];
    let mut ours_total = [0; 3];
    for (what, all, first_port) in [("speech", &speech, 1), ("music", &music, speech.len() as u16 + 1)] {
        let length_s: f64 = all.iter().map(|material| material.spoken_s).sum();
        let files: usize = all.iter().map(|material| material.files.len()).sum();
        section.notes.push(format!("{what}: {files} files, {:.1} min", length_s / 60.0));
        for (port, material) in (first_port..).zip(all) {
            for (total, heard) in peer_total.iter_mut().zip(by_peer(&material.audio)?) {
                *total += heard;
            }
            for event in events.iter().filter(|event| event.port == port) {
                let kind = ["digit", "tone_start", "caller_id"].iter().position(|kind| *kind == event.event);
                if let Some(kind) = kind {
                    ours_total[kind] += 1;
                    let members = serde_json::Value::from(event.members.clone());
                    section.notes.push(format!("- {} {members}: {}", event.event, material.file_at(event.t)));
                }
            }
        }
    }
    for (index, (name, floor)) in [("digits", 1), ("tones", 2), ("caller IDs", 0)].into_iter().enumerate() {
        let ours = ours_total[index];
        let verdict = match ours {
            0 => Verdict::Aim,
            some if some <= floor => Verdict::Floor,
            _ => Verdict::Failed,
        };
        section.rows.push(Row {
            condition: format!("false {name} in speech and music"),
            floor: format!("≤ {floor}"),
            aim: "0".into(),
            ours: ours.to_string(),
            peer: peer_total[index].to_string(),
            verdict,
        });
    }
    section.notes.push(
        "Every file of Debian's asterisk-core-sounds-{en,es,fr,it,ru}-wav (1.6.1) but the recordings of silence, beeps included, \
         one language a port, and of asterisk-moh-opsound-wav (2.03); as they are, off-hook, caller ID armed. A short run takes \
         every tenth prompt and one piece. No talk-off test: the tapes for that are not free."
            .into(),
    );
    Ok(section)
}
