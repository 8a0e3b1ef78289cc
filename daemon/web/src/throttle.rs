//! Slows down those who guess passwords. A try is counted before the password is looked at and taken back when it was
//! right, so that a thousand tries at once are not a thousand free ones.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use upkeep::address::network_of;

/// How many wrong tries, and what follows.
#[derive(Clone, Copy, Debug)]
struct Rule {
    tries: u32,
    /// The first lock; each further wrong try after it doubles the lock.
    lock: Duration,
    longest_lock: Duration,
}

/// One account from one address.
const ACCOUNT: Rule =
    Rule { tries: 5, lock: Duration::from_secs(30), longest_lock: Duration::from_secs(15 * 60) };
/// All accounts from one address: an office behind one address mistypes more often than one person.
const ADDRESS: Rule =
    Rule { tries: 30, lock: Duration::from_secs(60), longest_lock: Duration::from_secs(15 * 60) };
/// Counted failures are forgotten after this long without one.
const MEMORY: Duration = Duration::from_secs(30 * 60);
/// Bound of each table: about 2 MiB.
const MOST_COUNTERS: usize = 10_000;

#[derive(Clone, Copy, Debug)]
struct Counter {
    failures: u32,
    last: Instant,
    locked_until: Option<Instant>,
}

#[derive(Debug)]
struct Table<K> {
    rule: Rule,
    counters: HashMap<K, Counter>,
}

impl<K: Eq + Hash + Clone> Table<K> {
    fn new(rule: Rule) -> Self {
        Self { rule, counters: HashMap::new() }
    }

    fn lock_left(&self, key: &K, now: Instant) -> Option<Duration> {
        let until = self.counters.get(key)?.locked_until?;
        let left = until.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Returns whether this failure is the one that locks.
    fn count(&mut self, key: K, now: Instant) -> bool {
        if self.counters.len() >= MOST_COUNTERS && !self.counters.contains_key(&key) {
            self.make_room(now);
        }
        let counter =
            self.counters.entry(key).or_insert(Counter { failures: 0, last: now, locked_until: None });
        if now.saturating_duration_since(counter.last) >= MEMORY {
            counter.failures = 0;
        }
        counter.failures = counter.failures.saturating_add(1);
        counter.last = now;
        let Some(beyond) = counter.failures.checked_sub(self.rule.tries) else { return false };
        let lock = self.rule.lock.saturating_mul(1 << beyond.min(16)).min(self.rule.longest_lock);
        counter.locked_until = Some(now + lock);
        beyond == 0
    }

    fn make_room(&mut self, now: Instant) {
        self.counters.retain(|_, counter| now.saturating_duration_since(counter.last) < MEMORY);
        if self.counters.len() >= MOST_COUNTERS
            && let Some(oldest) = self.counters.iter().min_by_key(|(_, c)| c.last).map(|(key, _)| key.clone())
        {
            self.counters.remove(&oldest);
        }
    }

    /// Takes one counted failure back.
    fn forgive(&mut self, key: &K) {
        if let Some(counter) = self.counters.get_mut(key) {
            counter.failures = counter.failures.saturating_sub(1);
            if counter.failures < self.rule.tries {
                counter.locked_until = None;
            }
        }
    }
}

#[derive(Debug)]
struct Tables {
    accounts: Table<(String, IpAddr)>,
    addresses: Table<IpAddr>,
}

/// Counts wrong logins by account and address.
#[derive(Debug)]
pub struct Throttle {
    tables: Mutex<Tables>,
}

/// A try that has been counted as wrong.
#[derive(Debug)]
#[must_use]
pub struct Try {
    account: String,
    address: IpAddr,
    /// If it is wrong, it is the one that locks.
    pub locks: bool,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { tables: Mutex::new(Tables { accounts: Table::new(ACCOUNT), addresses: Table::new(ADDRESS) }) }
    }
}

impl Throttle {
    /// # Errors
    /// The seconds to wait, at least 1.
    pub fn begin(&self, account: &str, address: IpAddr, now: Instant) -> Result<Try, u64> {
        let address = network_of(address);
        let key = (account.to_lowercase(), address);
        let mut tables = self.lock();
        let left = [tables.accounts.lock_left(&key, now), tables.addresses.lock_left(&address, now)];
        if let Some(left) = left.into_iter().flatten().max() {
            return Err(left.as_secs().saturating_add(1));
        }
        let locks_account = tables.accounts.count(key.clone(), now);
        let locks_address = tables.addresses.count(address, now);
        Ok(Try { account: key.0, address, locks: locks_account || locks_address })
    }

    /// The password was right: the account starts from nothing again.
    pub fn succeed(&self, attempt: Try) {
        let mut tables = self.lock();
        tables.addresses.forgive(&attempt.address);
        tables.accounts.counters.remove(&(attempt.account, attempt.address));
    }

    /// The password was not looked at: the try does not count.
    pub fn abandon(&self, attempt: Try) {
        let mut tables = self.lock();
        tables.addresses.forgive(&attempt.address);
        tables.accounts.forgive(&(attempt.account, attempt.address));
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n))
    }

    #[test]
    fn wrong_tries_lock_the_account_from_that_address_only() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for n in 1..=ACCOUNT.tries {
            let attempt = throttle.begin("anna", address(1), now).expect("not yet locked");
            assert_eq!(attempt.locks, n == ACCOUNT.tries);
        }
        let wait_s = throttle.begin("Anna", address(1), now).expect_err("locked");
        assert!((1..=31).contains(&wait_s));
        throttle.succeed(throttle.begin("anna", address(2), now).expect("another address"));
        throttle.succeed(throttle.begin("bert", address(1), now).expect("another account"));
        let later = now + ACCOUNT.lock;
        throttle.succeed(throttle.begin("anna", address(1), later).expect("the lock is over"));
        assert!(throttle.begin("anna", address(1), later).is_ok());
    }

    #[test]
    fn each_wrong_try_after_a_lock_doubles_it_up_to_a_bound() {
        let (throttle, mut now) = (Throttle::default(), Instant::now());
        for _ in 1..ACCOUNT.tries {
            let _ = throttle.begin("anna", address(1), now).expect("not yet locked");
        }
        let mut locks_s = Vec::new();
        for _ in 0..7 {
            let _ = throttle.begin("anna", address(1), now).expect("the lock is over");
            let left_s = throttle.begin("anna", address(1), now).expect_err("locked");
            locks_s.push(left_s - 1);
            now += Duration::from_secs(left_s);
        }
        assert_eq!(locks_s, [30, 60, 120, 240, 480, 900, 900]);
    }

    #[test]
    fn ten_thousand_tries_get_to_few_passwords() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let looked_at = (0..10_000u32)
            .filter(|n| {
                let now = start + Duration::from_millis(u64::from(*n));
                throttle.begin(&format!("account{}", n % 100), address(1), now).is_ok()
            })
            .count();
        assert_eq!(looked_at, ADDRESS.tries as usize);
    }

    #[test]
    fn tries_from_everywhere_stay_in_bounds() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for n in 0..2 * MOST_COUNTERS as u32 {
            let _ = throttle.begin("anna", address(n), now);
        }
        let tables = throttle.lock();
        assert!(
            tables.accounts.counters.len() <= MOST_COUNTERS
                && tables.addresses.counters.len() <= MOST_COUNTERS
        );
    }

    #[test]
    fn addresses_of_one_ipv6_host_count_as_one() {
        let one: IpAddr = "2001:db8:1:2::1".parse().expect("an address");
        let other: IpAddr = "2001:db8:1:2:ffff::9".parse().expect("an address");
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().expect("an address");
        assert_eq!(network_of(one), network_of(other));
        assert_eq!(network_of(mapped), address(1));
    }
}
