//! Which stations the platform knows: added, changed, given another key, removed. Each change is judged, written into the
//! journal in one piece with its lines in the audit trail, and in force from then on.

use std::collections::BTreeSet;

use catalog::entry::Name;
use catalog::{AuditEntry, Body, Device, Since};
use upkeep::identity::is_serial;
use uplink::Fingerprint;

use crate::error::PlatformError;
use crate::lock;
use crate::platform::{Inner, Platform};
use crate::quiet::DAY;
use crate::station::pinned;

/// Devices that can be known.
const MOST_DEVICES: usize = 20_000;
/// Characters of a name and of a note.
const NAME_CHARACTERS: usize = 64;
const NOTE_CHARACTERS: usize = 1000;
/// Slower, a recording would take longer to send than to make.
const LEAST_BYTES_PER_S: u64 = 1000;
/// Times at which a device or one of its ports can go to another department.
const MOST_SPANS: usize = 1000;

fn invalid(field: &'static str, reason: impl Into<String>) -> PlatformError {
    PlatformError::DeviceInvalid { field, reason: reason.into() }
}

/// Whether that can be a device; its departments must be among `departments`.
///
/// # Errors
/// `DeviceInvalid` with the first member that is wrong.
pub fn check_device(device: &Device, departments: &BTreeSet<String>) -> Result<(), PlatformError> {
    if !is_serial(&device.serial) {
        return Err(invalid("serial", "expected a serial number such as HKLN-01121571897162"));
    }
    if device.name.chars().count() > NAME_CHARACTERS || device.name.contains(char::is_control) {
        return Err(invalid("name", format!("expected at most {NAME_CHARACTERS} characters on one line")));
    }
    if device.note.chars().count() > NOTE_CHARACTERS {
        return Err(invalid("note", format!("expected at most {NOTE_CHARACTERS} characters")));
    }
    if device.fingerprint.is_some() && pinned(device).is_none() {
        return Err(invalid("fingerprint", uplink::key::BadFingerprint.to_string()));
    }
    if device.audio_bytes_per_s.is_some_and(|rate| rate < LEAST_BYTES_PER_S) {
        let reason = format!("expected at least {LEAST_BYTES_PER_S} bytes a second, or no limit");
        return Err(invalid("audio_bytes_per_s", reason));
    }
    if device.quiet_hours.is_some_and(|(from, to)| from >= DAY || to >= DAY) {
        return Err(invalid("quiet_hours", format!("expected two minutes of a day, 0 to {}", DAY - 1)));
    }
    if let Some(pull) = &device.pull {
        crate::pull::check(pull).map_err(|(field, reason)| invalid(field, reason))?;
    }
    check_spans("departments", &device.departments, departments)?;
    device.ports.values().try_for_each(|spans| check_spans("ports", spans, departments))
}

fn check_spans(
    field: &'static str,
    spans: &[Since],
    departments: &BTreeSet<String>,
) -> Result<(), PlatformError> {
    if spans.len() > MOST_SPANS {
        return Err(invalid(field, format!("expected at most {MOST_SPANS} dates")));
    }
    if !spans.is_sorted_by(|one, next| one.from_us < next.from_us) {
        return Err(invalid(field, "expected dates in their order, each once"));
    }
    let unknown =
        spans.iter().filter_map(|since| since.department.as_ref()).find(|name| !departments.contains(*name));
    match unknown {
        Some(name) => Err(invalid(field, format!("there is no department {name}"))),
        None => Ok(()),
    }
}

/// As a device keeps it: written as people compare it, whatever way it came.
fn tidied(mut device: Device) -> Device {
    if let Some(fingerprint) = pinned(&device) {
        device.fingerprint = Some(fingerprint.to_string());
    }
    if let Some(pull) = &mut device.pull
        && let Some(certificate) = crate::pull::pinned(pull)
    {
        pull.fingerprint = Some(certificate.to_string());
    }
    device.name = device.name.trim().to_owned();
    device
}

impl Platform {
    /// Adds devices, all or none. One without a fingerprint is let in with the first key that comes.
    ///
    /// # Errors
    /// `DeviceInvalid`, `DeviceExists`, `TooManyDevices`; a journal that takes nothing.
    pub fn add_devices(&self, devices: Vec<Device>, trail: Vec<AuditEntry>) -> Result<(), PlatformError> {
        let inner = &self.inner;
        let _one_at_a_time = lock(&inner.registering);
        inner.load_devices()?;
        let departments = inner.department_names()?;
        let mut new = BTreeSet::new();
        for device in &devices {
            check_device(device, &departments)?;
            if inner.stations.device(&device.serial).is_some() || !new.insert(device.serial.clone()) {
                return Err(PlatformError::DeviceExists(device.serial.clone()));
            }
        }
        if inner.stations.count() + devices.len() > MOST_DEVICES {
            return Err(PlatformError::TooManyDevices(MOST_DEVICES));
        }
        let devices: Vec<Device> = devices.into_iter().map(tidied).collect();
        // A station that was known before has sent something.
        let come = devices.iter().map(|device| inner.come(&device.serial)).collect::<Result<Vec<_>, _>>()?;
        inner.write(devices.iter().cloned().map(Body::DeviceSet), trail)?;
        for (device, come) in devices.into_iter().zip(come) {
            inner.stations.added(device, come);
        }
        Ok(())
    }

    /// Changes a device. `trail` says what the audit trail is told of it, by the device before and after.
    ///
    /// # Errors
    /// `NoDevice`, `DeviceInvalid`; a journal that takes nothing.
    pub fn change_device(
        &self,
        serial: &str,
        change: impl FnOnce(&mut Device),
        trail: impl FnOnce(&Device, &Device) -> Vec<AuditEntry>,
    ) -> Result<Device, PlatformError> {
        let inner = &self.inner;
        let _one_at_a_time = lock(&inner.registering);
        let before =
            inner.stations.device(serial).ok_or_else(|| PlatformError::NoDevice(serial.to_owned()))?;
        let mut after = Device::clone(&before);
        change(&mut after);
        serial.clone_into(&mut after.serial);
        check_device(&after, &inner.department_names()?)?;
        let after = tidied(after);
        inner.write([Body::DeviceSet(after.clone())], trail(&before, &after))?;
        inner.stations.set(after.clone());
        Ok(after)
    }

    /// Takes this key for the station's from now on.
    ///
    /// # Errors
    /// As `change_device`.
    pub fn accept_key(
        &self,
        serial: &str,
        fingerprint: Fingerprint,
        trail: impl FnOnce(&Device, &Device) -> Vec<AuditEntry>,
    ) -> Result<Device, PlatformError> {
        self.change_device(serial, |device| device.fingerprint = Some(fingerprint.to_string()), trail)
    }

    /// Forgets a device; its recordings stay.
    ///
    /// # Errors
    /// `NoDevice`; a journal that takes nothing.
    pub fn remove_device(&self, serial: &str, trail: Vec<AuditEntry>) -> Result<(), PlatformError> {
        let inner = &self.inner;
        let _one_at_a_time = lock(&inner.registering);
        inner.stations.device(serial).ok_or_else(|| PlatformError::NoDevice(serial.to_owned()))?;
        inner.write([Body::DeviceRemoved(Name { name: serial.to_owned() })], trail)?;
        inner.stations.removed(serial);
        Ok(())
    }
}

impl Inner {
    fn write(
        &self,
        bodies: impl IntoIterator<Item = Body>,
        trail: Vec<AuditEntry>,
    ) -> Result<(), PlatformError> {
        let bodies = bodies.into_iter().chain(trail.into_iter().map(Body::Audit)).collect();
        self.catalog.append(bodies)?;
        Ok(())
    }

    fn department_names(&self) -> Result<BTreeSet<String>, PlatformError> {
        Ok(self.catalog.departments()?.into_iter().map(|department| department.name).collect())
    }

    /// A device that was added without a key has come with one: it is that from now on.
    pub(crate) fn pin_first_key(&self, serial: &str, fingerprint: Fingerprint) -> Result<(), PlatformError> {
        let _one_at_a_time = lock(&self.registering);
        let Some(device) = self.stations.device(serial) else { return Ok(()) };
        if device.fingerprint.is_some() {
            return Ok(());
        }
        let device = Device { fingerprint: Some(fingerprint.to_string()), ..Device::clone(&device) };
        let parameters = serde_json::json!({"serial": serial, "fingerprint": fingerprint});
        let trail = vec![Self::own_trail("pin_key", parameters)];
        self.write([Body::DeviceSet(device.clone())], trail)?;
        self.stations.set(device);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_device_can_have_is_named() {
        let departments = BTreeSet::from(["east".to_owned()]);
        let check = |change: &dyn Fn(&mut Device)| {
            let mut device = Device::new("HKLN-01121571897162");
            change(&mut device);
            match check_device(&device, &departments) {
                Ok(()) => "",
                Err(PlatformError::DeviceInvalid { field, .. }) => field,
                Err(other) => panic!("{other}"),
            }
        };
        let since = |from_us, name: &str| Since { from_us, department: Some(name.into()) };
        assert_eq!(check(&|_| {}), "");
        assert_eq!(check(&|device| device.serial = "../x".into()), "serial");
        assert_eq!(check(&|device| device.name = "x".repeat(65)), "name");
        assert_eq!(check(&|device| device.name = "a\nb".into()), "name");
        assert_eq!(check(&|device| device.note = "x".repeat(1001)), "note");
        assert_eq!(check(&|device| device.fingerprint = Some("12".into())), "fingerprint");
        assert_eq!(check(&|device| device.fingerprint = Some("ab".repeat(32))), "");
        assert_eq!(check(&|device| device.audio_bytes_per_s = Some(999)), "audio_bytes_per_s");
        assert_eq!(check(&|device| device.quiet_hours = Some((0, 1440))), "quiet_hours");
        assert_eq!(check(&|device| device.departments = vec![since(1, "west")]), "departments");
        assert_eq!(
            check(&|device| device.departments = vec![since(1, "east"), since(1, "east")]),
            "departments"
        );
        assert_eq!(check(&|device| drop(device.ports.insert(1, vec![since(1, "west")]))), "ports");
        assert_eq!(check(&|device| device.departments = vec![since(1, "east"), since(2, "east")]), "");
    }
}
