//! [`Guesses`]: limits how often passwords are tried.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;
use tokio::time::Instant;

use crate::event::rate_limit::{Buckets, RateLimit};

/// The limit for one address: 10 attempts at once, then one every 10 s.
const FOR_ADDRESS: RateLimit = RateLimit::per_minute(6).burst(10);
/// The limit for all addresses together: 60 attempts at once, then one each second.
const FOR_ALL: RateLimit = RateLimit::per_minute(60);
/// After this time without an attempt, an address may again make all its attempts at once.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(100);
/// Beyond this number of addresses, new ones must wait.
const MAX_ADDRESSES: usize = 10_000;

#[derive(Default)]
pub(super) struct Guesses(Mutex<State>);

#[derive(Default)]
struct State {
    all: Buckets,
    /// The attempts of each address, and the time of the last one.
    addresses: HashMap<IpAddr, (Buckets, Instant)>,
}

impl Guesses {
    /// Counts an attempt. Returns whether it may be made. An address that has used up its attempts
    /// takes none from others.
    pub(super) fn admit(&self, address: IpAddr) -> bool {
        let (address, now) = (network(address), Instant::now());
        let State { all, addresses } = &mut *self.0.lock();
        if addresses.len() >= MAX_ADDRESSES && !addresses.contains_key(&address) {
            addresses.retain(|_, (_, last)| now - *last < FORGOTTEN_AFTER);
            if addresses.len() >= MAX_ADDRESSES {
                return false;
            }
        }
        let (own, last) = addresses.entry(address).or_insert_with(|| (Buckets::default(), now));
        *last = now;
        own.admit(Some(FOR_ADDRESS), None).is_ok() && all.admit(Some(FOR_ALL), None).is_ok()
    }
}

/// The address, or of IPv6 the network of 64 bits, in which one client may have any address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::time::advance;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(number).into()
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_ten_attempts_and_one_more_every_ten_seconds() {
        let guesses = Guesses::default();
        let mapped = "::ffff:0.0.0.1".parse().expect("an address");
        for at in 0..10 {
            assert!(guesses.admit(if at % 2 == 0 { address(1) } else { mapped }));
        }
        assert!(!guesses.admit(address(1)) && !guesses.admit(mapped));
        assert!(guesses.admit(address(2)));
        advance(Duration::from_secs(10)).await;
        assert!(guesses.admit(address(1)) && !guesses.admit(address(1)));
        advance(FORGOTTEN_AFTER).await;
        for _ in 0..10 {
            assert!(guesses.admit(address(1)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_addresses_together_have_sixty_attempts_and_one_more_each_second() {
        let guesses = Guesses::default();
        for number in 0..60 {
            assert!(guesses.admit(address(number)));
        }
        assert!(!guesses.admit(address(60)));
        advance(Duration::from_secs(1)).await;
        assert!(guesses.admit(address(61)) && !guesses.admit(address(62)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_addresses_of_one_network_count_together() {
        let guesses = Guesses::default();
        let of = |text: &str| text.parse().expect("an address");
        for number in 0..10 {
            assert!(guesses.admit(of(&format!("2001:db8::{number}"))));
        }
        assert!(!guesses.admit(of("2001:db8::ffff:1")));
        assert!(guesses.admit(of("2001:db8:0:1::1")));
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_addresses_is_limited() {
        let guesses = Guesses::default();
        for number in 0..MAX_ADDRESSES as u32 + 100 {
            guesses.admit(address(number));
        }
        assert_eq!(guesses.0.lock().addresses.len(), MAX_ADDRESSES);
        advance(FORGOTTEN_AFTER).await;
        assert!(guesses.admit(address(u32::MAX)));
        assert_eq!(guesses.0.lock().addresses.len(), 1);
    }
}
