//! A line tap on the bus: found by its interface and serial number, opened, and asked by requests. Each failure is one
//! sentence that says which unit it is about and what to do.

use std::fmt::Display;
use std::thread;
use std::time::Duration;

use nusb::transfer::{Bulk, ControlIn, ControlOut, ControlType, In, Recipient, TransferError};
use nusb::{Device, DeviceInfo, Endpoint, ErrorKind, Interface, MaybeFuture, Speed};

use super::wire::{self, Identity, SelfTest, request};
use crate::{UnitFault, UnitIdentity};

/// A unit answers within 500 ms; the rest is the bus.
const ANSWER: Duration = Duration::from_millis(1000);
/// How long udev may take to give a new device its rights.
const RIGHTS: Duration = Duration::from_millis(300);

/// A fault of the unit with this serial number.
pub fn fault(code: &'static str, serial: &str, rest: impl Display) -> UnitFault {
    UnitFault { code, sentence: format!("USB line tap {serial} {rest}") }
}

pub fn unplugged(serial: &str) -> UnitFault {
    fault("unplugged", serial, "was unplugged while it was in use: plug it in again.")
}

/// A line tap that is plugged in.
#[derive(Clone, Debug)]
pub struct Plugged {
    info: DeviceInfo,
    interface: u8,
}

/// All line taps that are plugged in.
pub fn plugged_in() -> Result<Vec<Plugged>, UnitFault> {
    let devices = nusb::list_devices().wait().map_err(|error| UnitFault {
        code: "no_usb",
        sentence: format!("This box does not tell which USB devices are plugged in: {error}."),
    })?;
    let mut plugged = Vec::new();
    for info in devices {
        let interface = info.interfaces().find(|interface| {
            (interface.class(), interface.subclass(), interface.protocol()) == wire::INTERFACE
        });
        if let Some(interface) = interface.map(nusb::InterfaceInfo::interface_number) {
            plugged.push(Plugged { info, interface });
        }
    }
    Ok(plugged)
}

/// The one that is plugged in with this serial number.
pub fn find(serial: &str) -> Result<Plugged, UnitFault> {
    let mut plugged = plugged_in()?;
    plugged.retain(|tap| tap.info.serial_number() == Some(serial));
    match (plugged.pop(), plugged.is_empty()) {
        (Some(tap), true) => Ok(tap),
        (Some(_), false) => Err(fault(
            "wrong_unit",
            serial,
            "is plugged in twice: two units have this serial number; unplug one of them, and have its number changed.",
        )),
        (None, _) => {
            Err(fault("not_found", serial, "is not plugged in: plug it into any USB socket of this box."))
        }
    }
}

impl Plugged {
    /// What it is, or at least what the box knows of it.
    pub fn describe(&self) -> UnitIdentity {
        let by_name = || UnitIdentity {
            model: [self.info.manufacturer_string(), self.info.product_string()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" "),
            serial: self.info.serial_number().map(str::to_owned),
            firmware: None,
            lines: 0,
            has_volts: true,
        };
        let asked =
            self.info.open().wait().ok().and_then(|device| ask_identity(&device, self.interface).ok());
        asked
            .and_then(|bytes| Identity::decode(&bytes).ok())
            .filter(|found| self.info.serial_number() == Some(&found.serial))
            .map_or_else(by_name, |found| identity(&found))
    }

    /// Opens it for this program alone, and asks what it is.
    pub fn open(&self, serial: &str) -> Result<Unit, UnitFault> {
        if !matches!(self.info.speed(), Some(Speed::High)) {
            return Err(fault(
                "wrong_unit",
                serial,
                "is not connected at high speed (USB 2.0): use another socket, cable or hub.",
            ));
        }
        let mut opened = self.info.open().wait();
        if opened.as_ref().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
            thread::sleep(RIGHTS);
            opened = self.info.open().wait();
        }
        let device = opened.map_err(|error| device_fault(serial, &error))?;
        let interface =
            device.claim_interface(self.interface).wait().map_err(|error| device_fault(serial, &error))?;
        let bytes = ask_identity(&device, self.interface)
            .map_err(|error| request_fault(serial, "IDENTITY", error))?;
        let identity = Identity::decode(&bytes).map_err(|error| {
            fault("wrong_unit", serial, format_args!("{error}: have its firmware brought up to date."))
        })?;
        if identity.serial != serial {
            let other = &identity.serial;
            return Err(fault(
                "wrong_unit",
                serial,
                format_args!("calls itself {other} when asked: have its serial number put right."),
            ));
        }
        Ok(Unit { interface, identity, serial: serial.to_owned() })
    }
}

/// As the rooms above know it.
pub fn identity(identity: &Identity) -> UnitIdentity {
    UnitIdentity {
        model: identity.model.clone(),
        serial: Some(identity.serial.clone()),
        firmware: Some(identity.firmware.clone()),
        lines: identity.lines as u16,
        has_volts: true,
    }
}

/// Needs no claim: the kernel lets vendor requests through while a driver streams.
fn ask_identity(device: &Device, interface: u8) -> Result<Vec<u8>, TransferError> {
    device.control_in(control_in(request::IDENTITY, interface, wire::IDENTITY_BYTES as u16), ANSWER).wait()
}

fn control_in(request: u8, interface: u8, length: u16) -> ControlIn {
    ControlIn {
        control_type: ControlType::Vendor,
        recipient: Recipient::Interface,
        request,
        value: 0,
        index: interface.into(),
        length,
    }
}

fn device_fault(serial: &str, error: &nusb::Error) -> UnitFault {
    match error.kind() {
        ErrorKind::Disconnected => unplugged(serial),
        ErrorKind::Busy => fault(
            "busy",
            serial,
            "is in use by another program or driver: end it, or unplug the unit and plug it in again.",
        ),
        ErrorKind::PermissionDenied => fault(
            "not_allowed",
            serial,
            "may not be opened by this program: its user needs the right to write to the device (a udev rule gives it).",
        ),
        _ => fault(
            "bad_data",
            serial,
            format_args!("cannot be used ({error}): unplug it and plug it in again, or try another cable."),
        ),
    }
}

fn request_fault(serial: &str, request: &str, error: TransferError) -> UnitFault {
    match error {
        TransferError::Disconnected => unplugged(serial),
        TransferError::Stall => fault(
            "bad_data",
            serial,
            format_args!("refuses the request {request}: have its firmware brought up to date."),
        ),
        TransferError::Cancelled => fault(
            "stopped",
            serial,
            format_args!("does not answer the request {request}: unplug it and plug it in again."),
        ),
        _ => fault(
            "bad_data",
            serial,
            format_args!("failed at the request {request} ({error}): try another cable or socket."),
        ),
    }
}

/// A line tap that is open for this program alone.
pub struct Unit {
    interface: Interface,
    pub identity: Identity,
    serial: String,
}

impl Unit {
    /// Where its packets come from, with nothing left over from before.
    pub fn packets(&self) -> Result<Endpoint<Bulk, In>, UnitFault> {
        let mut endpoint = self
            .interface
            .endpoint::<Bulk, In>(wire::PACKETS_ENDPOINT)
            .map_err(|error| device_fault(&self.serial, &error))?;
        let bytes = endpoint.max_packet_size();
        if bytes != wire::USB_PACKET_BYTES {
            return Err(fault(
                "wrong_unit",
                &self.serial,
                format_args!(
                    "sends USB packets of {bytes} bytes where {} are due: have its firmware brought up to date.",
                    wire::USB_PACKET_BYTES
                ),
            ));
        }
        endpoint.clear_halt().wait().map_err(|error| device_fault(&self.serial, &error))?;
        Ok(endpoint)
    }

    pub fn start(&self) -> Result<(), UnitFault> {
        self.tell(request::START, "START", &[])
    }

    pub fn stop(&self) -> Result<(), UnitFault> {
        self.tell(request::STOP, "STOP", &[])
    }

    /// All lines as they are, whoever set them before.
    pub fn reset_gains(&self) -> Result<(), UnitFault> {
        let gains = [0; 2 * wire::MOST_LINES];
        self.tell(request::GAIN, "GAIN", &gains[..2 * self.identity.lines])
    }

    pub fn self_test(&self) -> Result<SelfTest, UnitFault> {
        let number = self.interface.interface_number();
        let ask = control_in(request::SELF_TEST, number, wire::SELF_TEST_BYTES as u16);
        let bytes = self
            .interface
            .control_in(ask, ANSWER)
            .wait()
            .map_err(|error| request_fault(&self.serial, "SELF_TEST", error))?;
        SelfTest::decode(&bytes).ok_or_else(|| {
            fault(
                "bad_data",
                &self.serial,
                format_args!(
                    "answers SELF_TEST with {} bytes where {} are due: have its firmware brought up to date.",
                    bytes.len(),
                    wire::SELF_TEST_BYTES
                ),
            )
        })
    }

    fn tell(&self, request: u8, name: &str, data: &[u8]) -> Result<(), UnitFault> {
        let message = ControlOut {
            control_type: ControlType::Vendor,
            recipient: Recipient::Interface,
            request,
            value: 0,
            index: self.interface.interface_number().into(),
            data,
        };
        self.interface
            .control_out(message, ANSWER)
            .wait()
            .map_err(|error| request_fault(&self.serial, name, error))
    }
}
