//! Other people's receivers on the kit's own signals: multimon-ng hears the DTMF, minimodem the FSK. This judges
//! the signals that everything else is measured with, not the product.

use std::path::Path;

use super::{Bench, MeasureError, Row, Section, Verdict, folder};
use crate::replay::{ReplayError, run as run_program};
use crate::spandsp::{CallerIdForm, CallerIdMessage, CallerIdOptions, DtmfTone, caller_id, dtmf};
use crate::wav::{self, WavFormat};

fn row(condition: String, right: usize, sent: usize) -> Row {
    let verdict = if right == sent { Verdict::Aim } else { Verdict::Failed };
    let (floor, ours) = (format!("{sent} of {sent}"), format!("{right} of {sent} (the signals)"));
    Row { condition, floor, aim: "–".into(), ours, peer: "–".into(), verdict }
}

/// multimon-ng takes raw 22,050 Hz samples; sox makes them.
fn dtmf_by_multimon(folder: &Path) -> Result<Row, MeasureError> {
    let digits = "0123456789ABCD*#".repeat(10);
    let (wav_path, raw) = (folder.join("dtmf.wav"), folder.join("dtmf.raw"));
    let how = DtmfTone { on_ms: 80.0, off_ms: 80.0, ..Default::default() };
    wav::write(&wav_path, &[&dtmf(&digits, &how)?], WavFormat::Linear16)?;
    let (wav_text, raw_text) = (wav_path.display().to_string(), raw.display().to_string());
    run_program(
        Path::new("sox"),
        &[&wav_text, "-t", "raw", "-e", "signed", "-b", "16", "-r", "22050", &raw_text],
    )?;
    let heard = run_program(Path::new("multimon-ng"), &["-q", "-a", "DTMF", "-t", "raw", &raw_text])?;
    let heard = heard.output.lines().filter_map(|line| line.strip_prefix("DTMF: "));
    // multimon-ng writes E and F for * and #.
    let heard: String = heard
        .flat_map(|digit| digit.trim().chars())
        .map(|digit| match digit {
            'E' => '*',
            'F' => '#',
            digit => digit,
        })
        .collect();
    let right = if heard == digits { digits.len() } else { common_prefix(&heard, &digits) };
    Ok(row("multimon-ng reads the kit's DTMF".into(), right, digits.len()))
}

fn common_prefix(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

fn fsk_by_minimodem(folder: &Path, form: CallerIdForm) -> Result<Row, MeasureError> {
    let (mark, space) = if form == CallerIdForm::V23Mdmf { ("1300", "2100") } else { ("1200", "2200") };
    let numbers: Vec<String> = (0..10).map(|index| format!("0215550{:04}", index * 1111)).collect();
    let mut right = 0;
    for number in &numbers {
        let message =
            CallerIdMessage { number: Some(number.clone()), time: Some("03010805".into()), name: None };
        let mut audio = vec![0; 4000];
        audio.extend(caller_id(
            form,
            &message,
            &CallerIdOptions { level_dbm0: -10.0, ..Default::default() },
        )?);
        audio.extend([0; 4000]);
        let path = folder.join("fsk.wav");
        wav::write(&path, &[&audio], WavFormat::Linear16)?;
        let text = path.display().to_string();
        let arguments = ["--rx", "--quiet", "--ascii", "-M", mark, "-S", space, "--file", &text, "1200"];
        match run_program(Path::new("minimodem"), &arguments) {
            Ok(heard) => right += usize::from(heard.output.contains(number.as_str())),
            // minimodem ends with an error when it heard no carrier at all.
            Err(ReplayError::Failed { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(row(format!("minimodem reads the kit's {}", form.name()), right, numbers.len()))
}

pub fn run(bench: &Bench) -> Result<Section, MeasureError> {
    let folder = folder(bench, "cross-check");
    std::fs::create_dir_all(&folder)
        .map_err(|source| crate::scenario::ScenarioError::File { path: folder.clone(), source })?;
    let mut section = Section::default();
    section.rows.push(dtmf_by_multimon(&folder)?);
    for form in [CallerIdForm::Bell202Mdmf, CallerIdForm::Bell202Sdmf, CallerIdForm::V23Mdmf] {
        section.rows.push(fsk_by_minimodem(&folder, form)?);
    }
    section
        .notes
        .push("Judges the signals everything else is measured with, by receivers of other people.".into());
    Ok(section)
}
