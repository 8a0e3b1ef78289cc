//! Caller-ID messages as they come over a data link, whatever modem carried them: SDMF and MDMF (Telcordia GR-30,
//! ETSI EN 300 659-3). Only what a message says with certainty is taken over: a wrong number is worse than none.

use arrayvec::ArrayString;

use crate::{CallerId, CallerIdStandard};

/// Message types.
pub const SDMF_CALL: u8 = 0x04;
pub const MDMF_CALL: u8 = 0x80;
/// Message waiting, advice of charge, short message: well-formed, but no caller ID.
pub(crate) const OTHER_MESSAGES: [u8; 6] = [0x06, 0x81, 0x82, 0x86, 0x89, 0xf1];

/// Parameters of an MDMF message that are read; all others (dialled number, call type, redirecting number, network
/// operator's own) are stepped over.
const DATE_AND_TIME: u8 = 0x01;
const NUMBER: u8 = 0x02;
const REASON_FOR_NO_NUMBER: u8 = 0x04;
const NAME: u8 = 0x07;
const REASON_FOR_NO_NAME: u8 = 0x08;

/// The longest message: type, length, 255 bytes, checksum.
pub const LONGEST_MESSAGE: usize = 258;

/// Why bytes are no caller ID; the variants are the steps of reading them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallerIdError {
    #[error("the caller-ID message is {length} bytes long where its length byte promises {promised}")]
    Length { length: usize, promised: usize },
    #[error("the caller-ID message's checksum is wrong: it was received with errors")]
    Checksum,
    #[error("message type 0x{message_type:02x} is not a caller ID")]
    MessageType { message_type: u8 },
    #[error("caller-ID parameter 0x{parameter:02x} reaches over the end of its message")]
    Parameter { parameter: u8 },
    #[error("the caller's number holds byte 0x{byte:02x}, which no number has, or is too long")]
    Number { byte: u8 },
    #[error("the caller-ID message says nothing about the caller")]
    Empty,
}

/// Reads one message: type, length, body, checksum, nothing before and nothing behind.
///
/// A withheld or unavailable number or name is `None`; so is a time that no calendar has.
pub fn parse(message: &[u8], standard: CallerIdStandard) -> Result<CallerId, CallerIdError> {
    let promised = message.get(1).map_or(3, |&length| usize::from(length) + 3);
    if message.len() != promised {
        return Err(CallerIdError::Length { length: message.len(), promised });
    }
    if message.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte)) != 0 {
        return Err(CallerIdError::Checksum);
    }
    let body = &message[2..promised - 1];
    let mut caller_id = CallerId { number: None, name: None, time: None, standard };
    match message[0] {
        SDMF_CALL => {
            let (stamp, number) = body.split_at_checked(8).ok_or(CallerIdError::Empty)?;
            caller_id.time = time(stamp);
            caller_id.number = number_of(number)?;
        }
        MDMF_CALL => read_parameters(body, &mut caller_id)?,
        message_type => return Err(CallerIdError::MessageType { message_type }),
    }
    Ok(caller_id)
}

fn read_parameters(body: &[u8], caller_id: &mut CallerId) -> Result<(), CallerIdError> {
    let mut rest = body;
    let mut told = false;
    // A lone byte at the end has no length: padding of some exchanges.
    while let [parameter, length, after @ ..] = rest {
        let (value, next) = after
            .split_at_checked(usize::from(*length))
            .ok_or(CallerIdError::Parameter { parameter: *parameter })?;
        rest = next;
        told |=
            matches!(*parameter, DATE_AND_TIME | NUMBER | REASON_FOR_NO_NUMBER | NAME | REASON_FOR_NO_NAME);
        match *parameter {
            DATE_AND_TIME => caller_id.time = time(value),
            NUMBER => caller_id.number = number_of(value)?,
            NAME => caller_id.name = name(value),
            _ => {}
        }
    }
    if told { Ok(()) } else { Err(CallerIdError::Empty) }
}

/// `MMDDhhmm` as `MM-DDThh:mm`.
fn time(value: &[u8]) -> Option<ArrayString<11>> {
    let digits: &[u8; 8] = value.first_chunk().filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let two = |at: usize| (digits[at] - b'0') * 10 + (digits[at + 1] - b'0');
    let (month, day, hour, minute) = (two(0), two(2), two(4), two(6));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 {
        return None;
    }
    let mut text = ArrayString::new();
    for (n, &digit) in digits.iter().enumerate() {
        if let Some(separator) = [None, Some('-'), Some('T'), Some(':')][n / 2].filter(|_| n % 2 == 0) {
            text.push(separator);
        }
        text.push(char::from(digit));
    }
    Some(text)
}

/// A number as it was sent. `O` (out of area) and `P` (private) in its place say that there is none.
fn number_of(value: &[u8]) -> Result<Option<ArrayString<32>>, CallerIdError> {
    let value = value.trim_ascii();
    if matches!(value, [] | [b'O' | b'P']) {
        return Ok(None);
    }
    let mut number = ArrayString::new();
    for &byte in value {
        let of_a_number = byte.is_ascii_digit() || matches!(byte, b'+' | b'*' | b'#' | b'-' | b' ');
        if !of_a_number || number.try_push(char::from(byte)).is_err() {
            return Err(CallerIdError::Number { byte });
        }
    }
    Ok(Some(number))
}

/// A name in ISO 8859-1, of which ASCII is a part; what is no text is left out, what is too long is cut off.
fn name(value: &[u8]) -> Option<ArrayString<64>> {
    let mut name = ArrayString::new();
    for char in value.trim_ascii().iter().map(|&byte| char::from(byte)).filter(|char| !char.is_control()) {
        if name.try_push(char).is_err() {
            break;
        }
    }
    // One letter in place of a name says that there is none, like in a number.
    (!matches!(name.as_str(), "" | "O" | "P")).then_some(name)
}

/// The byte that makes the sum of a message zero (two's complement).
#[cfg(test)]
pub(crate) fn checksum(message: &[u8]) -> u8 {
    message.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte)).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(message_type: u8, body: &[u8]) -> Vec<u8> {
        let mut message = vec![message_type, body.len() as u8];
        message.extend(body);
        message.push(checksum(&message));
        message
    }

    fn mdmf(parameters: &[(u8, &[u8])]) -> Result<CallerId, CallerIdError> {
        let body: Vec<u8> = parameters
            .iter()
            .flat_map(|(kind, value)| [*kind, value.len() as u8].into_iter().chain(value.iter().copied()))
            .collect();
        parse(&message(MDMF_CALL, &body), CallerIdStandard::FskBell202)
    }

    fn told(caller_id: &CallerId) -> (Option<&str>, Option<&str>, Option<&str>) {
        (caller_id.number.as_deref(), caller_id.name.as_deref(), caller_id.time.as_deref())
    }

    #[test]
    fn a_message_byte_by_byte() {
        let sdmf = b"\x04\x1203301224609555121\x32\x57";
        let caller_id = parse(sdmf, CallerIdStandard::FskBell202).unwrap();
        assert_eq!(told(&caller_id), (Some("6095551212"), None, Some("03-30T12:24")));
    }

    #[test]
    fn every_parameter_that_is_known() {
        let all = mdmf(&[
            (0x01, b"12312359"),
            (0x02, b"+861012345678"),
            (0x03, b"8001"),
            (0x07, b"J\xf6rg  O'Hara "),
            (0x11, b"\x01"),
        ]);
        assert_eq!(told(&all.unwrap()), (Some("+861012345678"), Some("Jörg  O'Hara"), Some("12-31T23:59")));
        let withheld = mdmf(&[(0x01, b"01010000"), (0x04, b"P"), (0x08, b"O")]).unwrap();
        assert_eq!(told(&withheld), (None, None, Some("01-01T00:00")));
        assert_eq!(told(&mdmf(&[(0x02, b"P")]).unwrap()), (None, None, None));
        assert_eq!(told(&mdmf(&[(0x02, b"110"), (0x01, b"13010000")]).unwrap()), (Some("110"), None, None));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        use CallerIdError as E;
        let good = message(MDMF_CALL, b"\x02\x03110");
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(parse(&bad, CallerIdStandard::FskV23).is_err(), "bit {bit} of byte {at}");
            }
        }
        assert_eq!(mdmf(&[(0x02, b"11O")]), Err(E::Number { byte: b'O' }));
        assert_eq!(mdmf(&[(0x02, &[b'1'; 33])]), Err(E::Number { byte: b'1' }));
        assert_eq!(mdmf(&[(0x0b, b"x")]), Err(E::Empty));
        let over = message(MDMF_CALL, b"\x02\x04110");
        assert_eq!(parse(&over, CallerIdStandard::FskV23), Err(E::Parameter { parameter: 0x02 }));
        let waiting = message(0x82, b"\x0b\x01\xff");
        assert_eq!(parse(&waiting, CallerIdStandard::FskV23), Err(E::MessageType { message_type: 0x82 }));
        assert_eq!(parse(&[], CallerIdStandard::FskV23), Err(E::Length { length: 0, promised: 3 }));
        assert_eq!(parse(&message(SDMF_CALL, b"0101"), CallerIdStandard::FskV23), Err(E::Empty));
    }

    #[test]
    fn long_names_are_cut_at_a_letter() {
        let name = mdmf(&[(0x07, &[0xe9; 80])]).unwrap().name.unwrap();
        assert_eq!(name.as_str(), "é".repeat(32));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes, CallerIdStandard::FskV23);
        }

        #[test]
        fn random_bodies_with_a_right_checksum_never_panic(
            message_type in prop::sample::select(vec![SDMF_CALL, MDMF_CALL]),
            body in prop::collection::vec(any::<u8>(), 0..255),
        ) {
            if let Ok(caller_id) = parse(&message(message_type, &body), CallerIdStandard::FskV23) {
                let number = caller_id.number.unwrap_or_default();
                prop_assert!(number.bytes().all(|byte| b"0123456789+*#- ".contains(&byte)));
            }
        }
    }
}
