//! Boxes that knocked with a serial number nobody has added: listed for the operator, and nothing more. Whoever can
//! reach the port can knock, so the list is bounded, and one address cannot push out what others have put there.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use uplink::Fingerprint;

/// A box that would like to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub serial: String,
    /// As it calls itself, at most 64 characters.
    pub name: String,
    /// Of the key that it has proved to hold.
    pub fingerprint: Fingerprint,
    pub address: SocketAddr,
    /// Microseconds of UTC since 1970.
    pub first_us: i64,
    pub last_us: i64,
}

/// Boxes that are listed at most.
pub const MOST_WAITING: usize = 1000;

/// A box is its serial number and its key: two with one serial number both wait.
#[derive(Debug, Default)]
pub(crate) struct WaitingList {
    boxes: HashMap<(String, Fingerprint), Waiting>,
}

impl WaitingList {
    /// `true`: it was not listed before.
    pub fn knocked(
        &mut self,
        serial: &str,
        name: &str,
        fingerprint: Fingerprint,
        address: SocketAddr,
        now_us: i64,
    ) -> bool {
        let name: String = name.chars().filter(|letter| !letter.is_control()).take(64).collect();
        let key = (serial.to_owned(), fingerprint);
        if let Some(known) = self.boxes.get_mut(&key) {
            (known.name, known.address, known.last_us) = (name, address, now_us);
            return false;
        }
        if self.boxes.len() >= MOST_WAITING {
            self.make_room();
        }
        let serial = serial.to_owned();
        let waiting = Waiting { serial, name, fingerprint, address, first_us: now_us, last_us: now_us };
        self.boxes.insert(key, waiting);
        true
    }

    /// The one who was last heard of longest ago goes, of the address that has most.
    fn make_room(&mut self) {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        self.boxes.values().for_each(|one| *counts.entry(one.address.ip()).or_default() += 1);
        let Some((fullest, _)) = counts.into_iter().max_by_key(|(ip, count)| (*count, *ip)) else { return };
        let of_it = self.boxes.iter().filter(|(_, one)| one.address.ip() == fullest);
        if let Some(key) = of_it.min_by_key(|(_, one)| one.last_us).map(|(key, _)| key.clone()) {
            self.boxes.remove(&key);
        }
    }

    /// The serial number is known now.
    pub fn remove(&mut self, serial: &str) {
        self.boxes.retain(|(waiting, _), _| waiting != serial);
    }

    /// Who came last stands first.
    pub fn all(&self) -> Vec<Waiting> {
        let mut all: Vec<Waiting> = self.boxes.values().cloned().collect();
        all.sort_by(|a, b| (b.last_us, &a.serial).cmp(&(a.last_us, &b.serial)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(number: u64) -> Fingerprint {
        format!("{number:064x}").parse().expect("digits")
    }

    fn address(last: u8) -> SocketAddr {
        ([10, 0, 0, last], 5000).into()
    }

    #[test]
    fn a_flood_from_one_address_pushes_out_only_itself() {
        let mut list = WaitingList::default();
        assert!(list.knocked("HKLN-00000000000001", "a\nb", fingerprint(1), address(1), 5));
        assert!(!list.knocked("HKLN-00000000000001", &"x".repeat(99), fingerprint(1), address(1), 6));
        assert!(list.knocked("HKLN-00000000000001", "", fingerprint(2), address(1), 6));
        for number in 0..3 * MOST_WAITING as u64 {
            list.knocked(&format!("HKLN-{number:014}"), "", fingerprint(number + 9), address(2), 7);
        }
        let all = list.all();
        assert_eq!(all.len(), MOST_WAITING);
        let first: Vec<_> = all.iter().filter(|one| one.address == address(1)).collect();
        assert_eq!((first.len(), first[0].first_us.min(first[1].first_us)), (2, 5));
        list.remove("HKLN-00000000000001");
        assert!(!list.all().iter().any(|one| one.address == address(1)));
    }
}
