//! Real speech and music from Debian's asterisk-core-sounds-*-wav and asterisk-moh-opsound-wav.

use std::fs;
use std::path::{Path, PathBuf};

use crate::audio::{active_level_dbm0, amplify, cut_to_voice, samples};
use crate::wav::{self, WavError};

pub const SOUNDS: &str = "/usr/share/asterisk/sounds";
pub const MUSIC: &str = "/usr/share/asterisk/moh";
/// Languages of Debian's packages.
pub const LANGUAGES: [&str; 5] = ["en", "es", "fr", "it", "ru"];

#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    #[error("no WAV files under {}: install asterisk-core-sounds-{language}-wav", path.display())]
    NoSpeech { path: PathBuf, language: String },
    #[error("no WAV files under {}: install asterisk-moh-opsound-wav", path.display())]
    NoMusic { path: PathBuf },
    #[error(transparent)]
    Wav(#[from] WavError),
}

/// WAV files below `folder`, sorted by path, silence recordings left out.
fn wav_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "silence") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "wav") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Where a language's package puts its files. The short names (`en`) are links of a package that is only recommended.
fn folder_of(language: &str) -> PathBuf {
    let voice = match language {
        "en" => "en_US_f_Allison",
        "es" => "es_MX_f_Allison",
        "fr" => "fr_CA_f_June",
        "it" => "it_IT_m_Carlo",
        "ru" => "ru_RU_f_IvrvoiceRU",
        other => other,
    };
    Path::new(SOUNDS).join(voice)
}

/// Every prompt of a language, uncut, as the package has it: path and audio.
pub fn prompts(language: &str) -> Result<Vec<(PathBuf, Vec<i16>)>, CorpusError> {
    let folder = folder_of(language);
    let files = wav_files(&folder);
    if files.is_empty() {
        return Err(CorpusError::NoSpeech { path: folder, language: language.into() });
    }
    read_all(files)
}

/// Every piece of music: path and audio.
pub fn music() -> Result<Vec<(PathBuf, Vec<i16>)>, CorpusError> {
    let files = wav_files(Path::new(MUSIC));
    if files.is_empty() {
        return Err(CorpusError::NoMusic { path: MUSIC.into() });
    }
    read_all(files)
}

fn read_all(files: Vec<PathBuf>) -> Result<Vec<(PathBuf, Vec<i16>)>, CorpusError> {
    let mut all = Vec::with_capacity(files.len());
    for path in files {
        if let Some(audio) = wav::read(&path)?.into_iter().next() {
            all.push((path, audio));
        }
    }
    Ok(all)
}

/// Spoken clips of a talking level, cut to where the voice is, to make conversations of.
pub struct Speech {
    clips: Vec<Vec<i16>>,
}

impl Speech {
    /// Level of the talking of every clip.
    pub const LEVEL_DBM0: f64 = -17.0;
    /// Clips begin and end above this level.
    pub const EDGE_DBM0: f64 = -32.0;

    /// Not spoken, although they lie among the prompts.
    const NOT_SPEECH: [&'static str; 8] = [
        "beep",
        "beeperr",
        "ascending-2tone",
        "descending-2tone",
        "tt-monkeys",
        "confbridge-join",
        "confbridge-leave",
        "dialtone",
    ];

    pub fn load(language: &str) -> Result<Self, CorpusError> {
        let spoken = prompts(language)?.into_iter().filter(|(path, _)| {
            path.file_stem()
                .and_then(|stem| stem.to_str())
                .is_some_and(|stem| !Self::NOT_SPEECH.contains(&stem))
        });
        let clips: Vec<_> = spoken
            .map(|(_, mut audio)| {
                let gain = Self::LEVEL_DBM0 - active_level_dbm0(&audio);
                amplify(&mut audio, gain);
                cut_to_voice(&audio, Self::EDGE_DBM0).to_vec()
            })
            .filter(|clip| clip.len() >= samples(1.0))
            .collect();
        if clips.is_empty() {
            return Err(CorpusError::NoSpeech { path: folder_of(language), language: language.into() });
        }
        Ok(Self { clips })
    }

    /// A clip of about `most` seconds at the most (one second at the least): cut at the last voice before that.
    pub fn clip(&self, random: &mut fastrand::Rng, most_s: f64) -> &[i16] {
        let clip = &self.clips[random.usize(..self.clips.len())];
        let most = samples(most_s.max(1.0)).min(clip.len());
        cut_to_voice(&clip[..most], Self::EDGE_DBM0)
    }

    /// Longest pause inside the clips at the edge level, in seconds: must stay under what ends a voice recording.
    pub fn longest_pause_s(&self) -> f64 {
        let pause = |clip: &Vec<i16>| {
            let (mut longest, mut run) = (0, 0);
            for frame in clip.chunks(80) {
                run = if crate::audio::level_dbm0(frame) > Self::EDGE_DBM0 { 0 } else { run + frame.len() };
                longest = longest.max(run);
            }
            longest
        };
        crate::audio::seconds(self.clips.iter().map(pause).max().unwrap_or(0))
    }
}
