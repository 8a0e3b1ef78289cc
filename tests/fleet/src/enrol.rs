//! Registers simulated stations in the data folder of a platform that does not run.

use std::path::Path;

use catalog::{Body, Catalog, Device, Options};

use crate::{FleetError, io_at, serial};

/// # Errors
/// A folder that no platform has made, or that one is using.
pub fn enrol(data: &Path, stations: usize) -> Result<(), FleetError> {
    let path = data.join("identity/serial");
    let own = std::fs::read_to_string(&path).map_err(io_at(&path))?;
    let (catalog, _) = Catalog::open(data, Options::new(own.trim()))?;
    let devices = (0..stations).map(|number| Body::DeviceSet(Device::new(serial(number))));
    let devices: Vec<Body> = devices.collect();
    for group in devices.chunks(500) {
        catalog.append(group.to_vec())?;
    }
    Ok(())
}
