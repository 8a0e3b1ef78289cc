//! The one writer of finished recordings. A file appears under its name complete or not at all: it is written under a
//! temporary name in the same folder, synced, renamed, and the folder is synced.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::durable;
use crate::facts::{Codec, Facts};
use crate::reader::hex;
use crate::steps::{Step, Steps};
use crate::wav;

const BUFFER_BYTES: usize = 64 << 10;

pub(crate) struct Writer {
    file: Option<BufWriter<File>>,
    temporary: PathBuf,
    path: PathBuf,
    hash: Sha256,
    expected_bytes: u64,
    written_bytes: u64,
    head_bytes: u64,
    power_safe: bool,
    steps: Steps,
}

/// The form of a file's audio.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub codec: Codec,
    pub tracks: u16,
    pub rate_hz: u32,
    /// Samples a track; above 0.
    pub samples: u64,
}

impl Writer {
    /// Begins the file that will appear at `path`, and makes the folders it lies in.
    pub fn create(path: &Path, form: Form, power_safe: bool, steps: &Steps) -> io::Result<Self> {
        let expected_bytes = form.samples * u64::from(form.tracks) * form.codec.sample_bytes() as u64;
        if expected_bytes == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a file without audio is never written"));
        }
        steps.reached(Step::NewFile)?;
        durable::create_folders(durable::parent(path))?;
        let temporary = durable::temporary_name(path);
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, durable::create_new(&temporary)?);
        let head = wav::head(form.codec, form.tracks, form.rate_hz, form.samples);
        file.write_all(&head)?;
        Ok(Self {
            file: Some(file),
            temporary,
            path: path.into(),
            hash: Sha256::new(),
            expected_bytes,
            written_bytes: 0,
            head_bytes: head.len() as u64,
            power_safe,
            steps: steps.clone(),
        })
    }

    /// Adds kept bytes.
    pub fn write(&mut self, kept: &[u8]) -> io::Result<()> {
        self.hash.update(kept);
        self.written_bytes += kept.len() as u64;
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(kept))
    }

    /// Completes the file with `facts`, into which the audio's checksum is put, and gives its size.
    pub fn finish(mut self, facts: &mut Facts) -> io::Result<u64> {
        if self.written_bytes != self.expected_bytes {
            return Err(io::Error::other("the audio is not as long as announced"));
        }
        self.steps.reached(Step::AudioWritten)?;
        facts.audio_sha256 = Some(hex(&std::mem::take(&mut self.hash).finalize()));
        let tail = wav::tail(self.written_bytes, facts)?;
        let bytes = self.head_bytes + self.written_bytes + tail.len() as u64;
        let riff = u32::try_from(bytes - 8)
            .map_err(|_| io::Error::other("the recording is too long for a WAV file"))?;
        let Some(mut buffered) = self.file.take() else { return Err(io::ErrorKind::NotFound.into()) };
        buffered.write_all(&tail)?;
        let file = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.write_all_at(&riff.to_le_bytes(), wav::RIFF_SIZE_AT)?;
        if self.power_safe {
            file.sync_data()?;
        }
        self.steps.reached(Step::FileSynced)?;
        std::fs::rename(&self.temporary, &self.path)?;
        self.steps.reached(Step::FileNamed)?;
        if self.power_safe {
            durable::sync_folder(durable::parent(&self.path))?;
        }
        self.steps.reached(Step::FolderSynced)?;
        Ok(bytes)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // After the rename there is nothing to remove; before it, the next try removes what this one could not.
        let _ = durable::remove_if_there(&self.temporary);
    }
}
