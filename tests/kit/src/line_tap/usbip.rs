//! The messages of USB over IP as Linux's vhci-hcd speaks them (the kernel's Documentation/usb/usbip_protocol.rst, behind
//! the import): 48 bytes, big-endian, then a transfer's data.

use std::io::{self, ErrorKind, Read, Write};

const HEADER_BYTES: usize = 48;
/// Longest transfer that is believed; a control transfer has 64 KiB at most, a line tap's packets less.
const MOST_BYTES: usize = 1 << 20;

pub const EPIPE: i32 = 32;
pub const ECONNRESET: i32 = 104;

/// What the kernel wants.
#[derive(Debug)]
pub enum Command {
    Submit(Submit),
    /// Take the transfer of this number back.
    Unlink {
        number: u32,
        transfer: u32,
    },
}

/// A transfer.
#[derive(Debug)]
pub struct Submit {
    pub number: u32,
    pub endpoint: u32,
    pub to_host: bool,
    /// Bytes that the host has room for, or sends.
    pub length: usize,
    /// Of a control transfer.
    pub setup: [u8; 8],
    /// What the host sends.
    pub data: Vec<u8>,
}

/// Reads the next command; `None` when the other end is closed.
pub fn read(stream: &mut impl Read) -> io::Result<Option<Command>> {
    let mut header = [0; HEADER_BYTES];
    match stream.read_exact(&mut header) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let number = word(4);
    match word(0) {
        1 => {
            let (to_host, length) = (word(12) == 1, word(24) as usize);
            if length > MOST_BYTES {
                return Err(io::Error::new(ErrorKind::InvalidData, "a transfer of more than 1 MiB"));
            }
            let mut data = vec![0; if to_host { 0 } else { length }];
            stream.read_exact(&mut data)?;
            let mut setup = [0; 8];
            setup.copy_from_slice(&header[40..]);
            Ok(Some(Command::Submit(Submit { number, endpoint: word(16), to_host, length, setup, data })))
        }
        2 => Ok(Some(Command::Unlink { number, transfer: word(20) })),
        other => Err(io::Error::new(ErrorKind::InvalidData, format!("USB/IP command {other}"))),
    }
}

fn header(command: u32, number: u32, status: i32, length: usize) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&command.to_be_bytes());
    header[4..8].copy_from_slice(&number.to_be_bytes());
    header[20..24].copy_from_slice(&status.to_be_bytes());
    header[24..28].copy_from_slice(&(length as u32).to_be_bytes());
    header
}

/// The answer to a transfer to the host: these bytes, or the negative of an error.
pub fn answer_in(number: u32, result: Result<&[u8], i32>) -> Vec<u8> {
    let (status, data) = result.map_or_else(|error| (-error, &[][..]), |data| (0, data));
    let mut bytes = header(3, number, status, data.len()).to_vec();
    bytes.extend(data);
    bytes
}

/// The answer to a transfer from the host: how much was taken, or the negative of an error.
pub fn answer_out(number: u32, result: Result<usize, i32>) -> Vec<u8> {
    let (status, length) = result.map_or_else(|error| (-error, 0), |length| (0, length));
    header(3, number, status, length).to_vec()
}

/// The answer to an unlink: whether the transfer still waited.
pub fn answer_unlink(number: u32, waited: bool) -> Vec<u8> {
    header(4, number, if waited { -ECONNRESET } else { 0 }, 0).to_vec()
}

/// Writes an answer.
pub fn write(stream: &mut impl Write, answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: [u32; 10], setup: [u8; 8]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).chain(setup).collect()
    }

    #[test]
    fn a_transfer_from_the_host_brings_its_data() {
        let mut stream = bytes([1, 7, 2, 0, 0, 0, 3, 0, 0, 0], [0x41, 4, 0, 0, 0, 0, 3, 0]);
        stream.extend([9, 8, 7]);
        let Ok(Some(Command::Submit(submit))) = read(&mut stream.as_slice()) else { panic!("a submit") };
        assert_eq!((submit.number, submit.endpoint, submit.to_host), (7, 0, false));
        assert_eq!((submit.setup[1], submit.data), (4, vec![9, 8, 7]));
    }

    #[test]
    fn an_unlink_names_its_transfer() {
        let stream = bytes([2, 8, 2, 0, 0, 7, 0, 0, 0, 0], [0; 8]);
        assert!(matches!(read(&mut stream.as_slice()), Ok(Some(Command::Unlink { number: 8, transfer: 7 }))));
        assert_eq!(answer_unlink(8, true)[20..24], (-104_i32).to_be_bytes());
    }

    #[test]
    fn what_is_no_command_is_refused() {
        assert!(matches!(read(&mut [].as_slice()), Ok(None)));
        assert!(read(&mut bytes([9; 10], [0; 8]).as_slice()).is_err());
        assert!(read(&mut bytes([1, 7, 2, 1, 0, 0, 1 << 21, 0, 0, 0], [0; 8]).as_slice()).is_err());
        assert!(read(&mut bytes([1, 7, 2, 0, 0, 0, 3, 0, 0, 0], [0; 8]).as_slice()).is_err(), "no data");
    }
}
