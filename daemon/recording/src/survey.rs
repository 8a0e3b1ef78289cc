//! Walks over the recordings folder a day at a time, oldest first, so that a million files need no list in memory.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use crate::data_dir::{DAMAGED, RECORDINGS};

/// A file below `recordings/`, the damaged ones apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Relative to the data folder, with `/`.
    pub path: String,
    pub kind: ItemKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// Ends in `.wav`: finished, by its name.
    Recording,
    Peaks,
    /// A file that was being written.
    Temporary,
    Other,
}

/// Everything below `recordings/` in the order of the paths.
pub fn survey(data: &Path) -> Survey {
    let root = data.join(RECORDINGS);
    Survey { data: data.into(), folders: VecDeque::from([root]), items: VecDeque::new() }
}

/// The finished recordings of a data folder, by their paths relative to it, oldest day first.
pub fn recordings(data: &Path) -> impl Iterator<Item = io::Result<String>> + use<> {
    survey(data).filter_map(|item| match item {
        Ok(item) => (item.kind == ItemKind::Recording).then_some(Ok(item.path)),
        Err(error) => Some(Err(error)),
    })
}

/// See [`survey`].
#[derive(Debug)]
pub struct Survey {
    data: PathBuf,
    /// Still to be read, the next one first.
    folders: VecDeque<PathBuf>,
    items: VecDeque<Item>,
}

impl Survey {
    fn read(&mut self, folder: &Path) -> io::Result<()> {
        let mut below = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let relative = path.strip_prefix(&self.data).unwrap_or(&path).to_string_lossy().into_owned();
            if !entry.file_type()?.is_dir() {
                self.items.push_back(Item { kind: kind_of(&relative), path: relative });
            } else if relative != format!("{RECORDINGS}/{DAMAGED}") {
                below.push(path);
            }
        }
        self.items.make_contiguous().sort_by(|a, b| a.path.cmp(&b.path));
        below.sort();
        below.into_iter().rev().for_each(|folder| self.folders.push_front(folder));
        Ok(())
    }
}

impl Iterator for Survey {
    type Item = io::Result<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Some(Ok(item));
            }
            let folder = self.folders.pop_front()?;
            if let Err(error) = self.read(&folder) {
                return Some(Err(error));
            }
        }
    }
}

fn kind_of(path: &str) -> ItemKind {
    match path.rsplit_once('.') {
        Some((_, "wav")) => ItemKind::Recording,
        Some((_, "peaks")) => ItemKind::Peaks,
        Some((_, "tmp")) => ItemKind::Temporary,
        _ => ItemKind::Other,
    }
}
