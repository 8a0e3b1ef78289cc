//! A deletion is an entry first and files gone second. Whatever came between is done now.

use std::ops::ControlFlow;

use catalog::{AudioFilter, Catalog, DeletedFilter, RecordQuery, Scope};
use recording::DataDir;

/// Files that records had which are deleted.
pub fn deleted_files(catalog: &Catalog) -> Result<Vec<String>, catalog::Error> {
    let deleted =
        RecordQuery { audio: AudioFilter::All, deleted: DeletedFilter::Yes, ..RecordQuery::default() };
    let mut files = Vec::new();
    catalog.each_record(&Scope::everything(), &deleted, &mut |row| {
        files.extend(row.file);
        ControlFlow::Continue(())
    })?;
    Ok(files)
}

/// Removes the files of all deleted records. False: not all could be, or not all are known.
pub fn finish(catalog: &Catalog, data: &DataDir) -> bool {
    let Ok(files) = deleted_files(catalog) else { return false };
    let failed = files.iter().filter_map(|file| recording::delete(data, file).err());
    failed.inspect(|error| eprintln!("{error}")).count() == 0
}
