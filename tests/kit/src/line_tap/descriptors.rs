//! What the software unit says of itself on the bus: USB descriptors, and the identity of `PROTOCOL.md` (daemon/capture,
//! line_tap). Written from that page, not from the driver's code.

use super::Unit;

const FULL_SPEED_TOO: u16 = 0x0200;
/// For private tests at pid.codes; a maker has numbers of its own.
const VENDOR: u16 = 0x1209;
const PRODUCT: u16 = 0x0001;

const MAKER: &str = "Hookline";
const MODEL: &str = "software line tap";

/// Answers a standard `GET_DESCRIPTOR`; `None`: there is no such descriptor.
pub fn descriptor(unit: &Unit, kind: u8, index: u8) -> Option<Vec<u8>> {
    match (kind, index) {
        (1, 0) => {
            let mut device = vec![18, 1];
            device.extend(FULL_SPEED_TOO.to_le_bytes());
            device.extend([0, 0, 0, 64]);
            for word in [VENDOR, PRODUCT, 0x0100] {
                device.extend(word.to_le_bytes());
            }
            device.extend([1, 2, 3, 1]);
            Some(device)
        }
        (2, 0) => {
            let interface = [9, 4, 0, 0, 1, 0xFF, 0x48, 0x01, 0];
            let endpoint = [7, 5, 0x81, 2, 0x00, 0x02, 0];
            let length = 9 + interface.len() as u8 + endpoint.len() as u8;
            // One interface; powered by itself; 100 mA.
            let configuration = [9, 2, length, 0, 1, 1, 0, 0xC0, 50];
            Some([configuration.as_slice(), &interface, &endpoint].concat())
        }
        (3, 0) => Some(vec![4, 3, 0x09, 0x04]),
        (3, 1) => Some(string(MAKER)),
        (3, 2) => Some(string(MODEL)),
        (3, 3) => Some(string(&unit.serial)),
        // Device qualifier: no other speed.
        _ => None,
    }
}

fn string(text: &str) -> Vec<u8> {
    let words: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [&[words.len() as u8 + 2, 3], words.as_slice()].concat()
}

/// The 128 bytes of `IDENTITY`.
pub fn identity(unit: &Unit) -> Vec<u8> {
    let mut bytes = b"HLTI".to_vec();
    bytes.extend([unit.protocol_major, 0, unit.claimed_lines.unwrap_or(unit.lines), 0]);
    bytes.extend(unit.fifo_ms.to_le_bytes());
    bytes.extend((-120_i16).to_le_bytes());
    bytes.extend(240_i16.to_le_bytes());
    bytes.extend([0, 0]);
    let serial = unit.claimed_serial.as_ref().unwrap_or(&unit.serial);
    let model = format!("{MAKER} {MODEL}");
    for (text, length) in [(serial.as_str(), 32), (env!("CARGO_PKG_VERSION"), 32), (&model, 48)] {
        let mut field = text.as_bytes().to_vec();
        field.resize(length, 0);
        bytes.extend(field);
    }
    bytes
}
