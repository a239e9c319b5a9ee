//! Addresses that one scenario at a time may have.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Who has which addresses.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    taken: Mutex<BTreeSet<IpAddr>>,
    freed: Notify,
}

/// Addresses that are held until this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    shared: Arc<Shared>,
    addresses: BTreeSet<IpAddr>,
}

impl Shared {
    /// A set stays meaningful whoever panicked while holding it.
    fn lock(&self) -> MutexGuard<'_, BTreeSet<IpAddr>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claims {
    /// Waits until nobody has any of these addresses, and takes all of them at once, so that
    /// two who want the same can never wait for each other.
    pub(super) async fn take(&self, addresses: BTreeSet<IpAddr>) -> Claim {
        loop {
            // Made before looking: an address that is freed in between is not missed.
            let freed = self.0.freed.notified();
            let mut freed = std::pin::pin!(freed);
            freed.as_mut().enable();
            {
                let mut taken = self.0.lock();
                if taken.is_disjoint(&addresses) {
                    taken.extend(&addresses);
                    return Claim { shared: Arc::clone(&self.0), addresses };
                }
            }
            freed.await;
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.lock().retain(|address| !self.addresses.contains(address));
        self.shared.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_same_address_is_waited_for() {
        let set = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let claims = Claims::default();
        let first = claims.take(set(&["203.0.113.7", "2001:db8::7"])).await;
        let other = claims.take(set(&["203.0.113.8"])).now_or_never();
        assert!(other.is_some(), "another address is free");
        let mut second = std::pin::pin!(claims.take(set(&["203.0.113.7", "203.0.113.9"])));
        assert!(second.as_mut().now_or_never().is_none(), "it is taken");
        assert!(claims.take(set(&["203.0.113.9"])).now_or_never().is_some(), "nothing is held");
        drop(first);
        assert!(second.now_or_never().is_some(), "it was freed");
    }
}
