//! Holds the data folder of a platform against those of its stations, none of them running: every record and alarm of
//! each station is on the platform once, every recording byte for byte, and nothing that is not acknowledged has gone.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use catalog::{
    AlarmQuery, AlarmRow, AlarmState, Body, Catalog, DeletedFilter, Options, PageRequest, RecordQuery, Scope,
};
use recording::RecordId;
use sha2::{Digest, Sha256};

use crate::{FleetError, io_at};

#[derive(Debug, Default)]
pub struct Judgement {
    pub stations: usize,
    pub records: usize,
    pub files: usize,
    pub alarms: usize,
    /// One sentence for everything that is not as it must be.
    pub findings: Vec<String>,
}

/// # Errors
/// A folder that is not there, or cannot be read.
pub fn judge(platform: &Path, stations: &[PathBuf]) -> Result<Judgement, FleetError> {
    let platform = Folder::open(platform)?;
    let mut judgement = Judgement { stations: stations.len(), ..Judgement::default() };
    let mut counted = platform.records_by_station()?;
    for path in stations {
        let station = Folder::open(path)?;
        let here = counted.remove(&station.serial).unwrap_or(0);
        judge_records(&platform, &station, here, &mut judgement)?;
        judge_alarms(&platform, &station, &mut judgement)?;
        judge_acknowledged(&platform, &station, &mut judgement)?;
    }
    for (serial, count) in counted {
        judgement
            .findings
            .push(format!("the platform has {count} records of {serial}, which was not asked about"));
    }
    Ok(judgement)
}

struct Folder {
    path: PathBuf,
    serial: String,
    catalog: Catalog,
}

impl Folder {
    fn open(path: &Path) -> Result<Self, FleetError> {
        let identity = path.join("identity/serial");
        let serial = std::fs::read_to_string(&identity).map_err(io_at(&identity))?.trim().to_owned();
        let (catalog, _) = Catalog::open(path, Options::new(serial.as_str()))?;
        catalog.wait_until_current(std::time::Duration::from_secs(60));
        Ok(Self { path: path.to_owned(), serial, catalog })
    }

    fn records_by_station(&self) -> Result<BTreeMap<String, usize>, FleetError> {
        let mut counted = BTreeMap::new();
        let query = RecordQuery { deleted: DeletedFilter::All, ..RecordQuery::default() };
        self.catalog.each_record(&Scope::everything(), &query, &mut |row| {
            *counted.entry(row.id.serial).or_default() += 1;
            std::ops::ControlFlow::Continue(())
        })?;
        Ok(counted)
    }

    /// Every alarm of `station` (`None`: this box itself), oldest first.
    fn alarms(&self, station: Option<&str>) -> Result<Vec<AlarmRow>, FleetError> {
        let serial = station.unwrap_or(&self.serial).to_owned();
        let query = AlarmQuery { state: AlarmState::All, stations: [serial].into(), ..AlarmQuery::default() };
        let mut page = PageRequest { after: None, limit: 1000, count_up_to: 0 };
        let mut alarms = Vec::new();
        loop {
            let found = self.catalog.alarms(&Scope::everything(), &query, page)?;
            alarms.extend(found.items.into_iter().filter(|alarm| alarm.station.as_deref() == station));
            match found.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        alarms.reverse();
        Ok(alarms)
    }
}

fn judge_records(
    platform: &Folder,
    station: &Folder,
    on_platform: usize,
    judgement: &mut Judgement,
) -> Result<(), FleetError> {
    let mut ids: Vec<RecordId> = Vec::new();
    let query = RecordQuery { deleted: DeletedFilter::All, ..RecordQuery::default() };
    station.catalog.each_record(&Scope::everything(), &query, &mut |row| {
        ids.push(row.id);
        std::ops::ControlFlow::Continue(())
    })?;
    if ids.len() != on_platform {
        judgement.findings.push(format!(
            "{} has {} records, the platform has {on_platform} of it",
            station.serial,
            ids.len()
        ));
    }
    judgement.records += ids.len();
    for id in ids {
        let name = catalog::record_id_text(&id).to_string();
        let Some(theirs) = station.catalog.record(&Scope::everything(), &id)? else { continue };
        let Some(ours) = platform.catalog.record(&Scope::everything(), &id)? else {
            judgement.findings.push(format!("{name} is not on the platform"));
            continue;
        };
        if ours.facts != theirs.facts {
            judgement.findings.push(format!("{name} has other facts on the platform"));
        }
        let Some(file) = theirs.row.file.filter(|_| theirs.row.deleted.is_none()) else { continue };
        match ours.row.file {
            None => judgement.findings.push(format!("{name} has no file on the platform")),
            Some(kept) if sha256(&platform.path.join(&kept))? != sha256(&station.path.join(file))? => {
                judgement.findings.push(format!("{name} has another file on the platform"));
            }
            Some(_) => judgement.files += 1,
        }
    }
    Ok(())
}

fn judge_alarms(platform: &Folder, station: &Folder, judgement: &mut Judgement) -> Result<(), FleetError> {
    type Told = (String, Option<u16>, Option<String>, i64, Option<i64>, u64);
    let told = |alarm: AlarmRow| -> Told {
        (alarm.code, alarm.port, alarm.thing, alarm.raised_us, alarm.cleared_us, alarm.count)
    };
    let mut theirs: Vec<Told> = station.alarms(None)?.into_iter().map(told).collect();
    let mut ours: Vec<Told> = platform.alarms(Some(&station.serial))?.into_iter().map(told).collect();
    theirs.sort();
    ours.sort();
    judgement.alarms += theirs.len();
    for alarm in theirs.iter().filter(|alarm| !ours.contains(alarm)) {
        judgement.findings.push(format!("{}: the platform lacks the alarm {alarm:?}", station.serial));
    }
    for alarm in ours.iter().filter(|alarm| !theirs.contains(alarm)) {
        judgement
            .findings
            .push(format!("{}: the platform has an alarm of its own: {alarm:?}", station.serial));
    }
    Ok(())
}

/// What the station believes to be safe is: records, alarms and audited actions of which it was told so are here.
fn judge_acknowledged(
    platform: &Folder,
    station: &Folder,
    judgement: &mut Judgement,
) -> Result<(), FleetError> {
    let acknowledged = station.catalog.synchronised()?;
    let arrived = platform.catalog.arrived(&station.serial)?;
    let mut tail = station.catalog.journal_tail(1);
    loop {
        let entries = tail.read(1000)?;
        if entries.is_empty() {
            return Ok(());
        }
        for entry in entries {
            let goes_up = matches!(
                Body::from_payload(entry.layout, &entry.payload),
                Ok(Body::Record(_)
                    | Body::Annotation(_)
                    | Body::AlarmRaised(_)
                    | Body::AlarmCleared(_)
                    | Body::Audit(_))
            );
            if goes_up && acknowledged.contains(entry.sequence) && !arrived.contains(entry.sequence) {
                judgement.findings.push(format!(
                    "{}: entry {} counts as acknowledged and is not on the platform",
                    station.serial, entry.sequence
                ));
            }
        }
    }
}

fn sha256(path: &Path) -> Result<[u8; 32], FleetError> {
    let bytes = std::fs::read(path).map_err(io_at(path))?;
    Ok(Sha256::digest(&bytes).into())
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        write!(
            f,
            "{} stations: {} records, {} files and {} alarms held against the platform, {} findings",
            self.stations,
            self.records,
            self.files,
            self.alarms,
            self.findings.len()
        )
    }
}
