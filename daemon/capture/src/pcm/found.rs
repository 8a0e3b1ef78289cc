//! Which sound cards there are, for whoever has to choose one. A card that is in use is told, and left alone.

use alsa::ctl::DeviceIter;
use alsa::pcm::{HwParams, PCM};
use alsa::{Ctl, Direction};
use serde::Serialize;

use super::card::hush;
use super::fault;
use super::rate::RATES_HZ;
use crate::UnitFault;

/// A device that gives samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PcmFound {
    /// As it is written into settings: `hw:CARD=Loopback,DEV=1`, the same after a restart whatever else is plugged in.
    pub device: String,
    /// As people know it.
    pub name: String,
    /// Whether somebody has it open; then the rest is not known.
    pub in_use: bool,
    /// The most channels that it has.
    pub channels: Option<u16>,
    /// Those of the rates that can be recorded from (8000 Hz as it is, others resampled).
    pub rates_hz: Vec<u32>,
}

/// Every sound card's capture devices, in the order of the system.
///
/// # Errors
/// The list itself cannot be read; a card that vanishes meanwhile is left out.
pub fn found() -> Result<Vec<PcmFound>, UnitFault> {
    hush();
    let mut found = Vec::new();
    for card in alsa::card::Iter::new() {
        let card = card.map_err(|error| fault::failed("any", "list", error))?;
        // It may be gone again, or not be ours to open.
        if let Ok(ctl) = Ctl::from_card(&card, true) {
            found.extend(DeviceIter::new(&ctl).filter_map(|device| device_of(&ctl, device as u32).ok()));
        }
    }
    Ok(found)
}

/// A card's device; an error if it gives no samples, or went away.
fn device_of(ctl: &Ctl, number: u32) -> alsa::Result<PcmFound> {
    let info = ctl.pcm_info(number, 0, Direction::Capture)?;
    let card = ctl.card_info()?;
    let device = format!("hw:CARD={},DEV={number}", card.get_id()?);
    let (card_name, device_name) = (card.get_name()?, info.get_name()?);
    let name =
        if device_name.is_empty() { card_name.to_owned() } else { format!("{card_name}, {device_name}") };
    let (in_use, channels, rates_hz) = match abilities(&device) {
        _ if info.get_subdevices_avail() == 0 => (true, None, Vec::new()),
        Ok((channels, rates_hz)) => (false, Some(channels), rates_hz),
        Err(error) => (error.errno().abs() == libc::EBUSY, None, Vec::new()),
    };
    Ok(PcmFound { device, name, in_use, channels, rates_hz })
}

/// Channels and rates of a device that nobody uses.
fn abilities(device: &str) -> alsa::Result<(u16, Vec<u32>)> {
    let pcm = PCM::new(device, Direction::Capture, true)?;
    let all = HwParams::any(&pcm)?;
    let channels = u16::try_from(all.get_channels_max()?).unwrap_or(u16::MAX);
    let rates_hz = RATES_HZ.into_iter().filter(|&rate_hz| all.test_rate(rate_hz).is_ok()).collect();
    Ok((channels, rates_hz))
}
