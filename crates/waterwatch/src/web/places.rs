//! Places for connections. When all are taken, one that has shown no valid token is
//! closed for whoever comes: idle and slow strangers shut nobody out.
//!
//! It is one of whoever holds most of them, and of those the oldest. So thousands from
//! one address take the places of each other, and not that of an operator elsewhere
//! whose request is on its way.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    room: Arc<Semaphore>,
    strangers: Arc<Mutex<Strangers>>,
    numbers: u64,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    standing: Standing,
    _permit: OwnedSemaphorePermit,
}

/// Whether a connection has shown a valid token; each of its requests has a copy.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    number: u64,
    origin: IpAddr,
    /// Cancelled once the place is another's, or nobody's.
    over: CancellationToken,
    strangers: Arc<Mutex<Strangers>>,
}

/// What becomes of one who asks for a place.
#[derive(Debug)]
pub(super) enum Taken {
    /// One was free.
    Free(Place),
    /// One was made free.
    Instead(Place),
    /// All are of those who may ask.
    None,
}

impl Places {
    pub(super) fn new(places_max: usize) -> Places {
        let room = Arc::new(Semaphore::new(places_max.min(Semaphore::MAX_PERMITS)));
        Places { room, strangers: Arc::default(), numbers: 0 }
    }

    /// A place for whoever comes from there. One that is made free has been left
    /// when it is given: there are never more connections than places.
    pub(super) async fn take(&mut self, peer: SocketAddr) -> Taken {
        if let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() {
            return Taken::Free(self.place(peer, permit));
        }
        let Some(evicted) = lock(&self.strangers).first_to_go() else { return Taken::None };
        evicted.cancel();
        // It is never closed.
        match Arc::clone(&self.room).acquire_owned().await {
            Ok(permit) => Taken::Instead(self.place(peer, permit)),
            Err(_) => Taken::None,
        }
    }

    fn place(&mut self, peer: SocketAddr, permit: OwnedSemaphorePermit) -> Place {
        self.numbers += 1;
        let standing = Standing {
            number: self.numbers,
            origin: origin(peer.ip()),
            over: CancellationToken::new(),
            strangers: Arc::clone(&self.strangers),
        };
        standing.shows_token(false);
        Place { standing, _permit: permit }
    }
}

impl Place {
    pub(super) fn standing(&self) -> Standing {
        self.standing.clone()
    }

    /// Waits until it is wanted for another.
    pub(super) async fn wanted(&self) {
        self.standing.over.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Standing { number, origin, over, strangers } = &self.standing;
        let mut strangers = lock(strangers);
        over.cancel();
        strangers.change(*origin, |theirs| theirs.remove(number).is_some());
    }
}

impl Standing {
    /// The last request of this connection had a valid token, or had none: one that is
    /// revoked holds no place either.
    pub(super) fn shows_token(&self, is_valid: bool) {
        let mut strangers = lock(&self.strangers);
        // Nobody removes what is added after the end.
        if self.over.is_cancelled() {
            return;
        }
        strangers.change(self.origin, |theirs| match is_valid {
            true => theirs.remove(&self.number).is_some(),
            false => theirs.insert(self.number, self.over.clone()).is_none(),
        });
    }
}

/// Connections that have shown no valid token.
#[derive(Debug, Default)]
struct Strangers {
    /// By where they come from, the oldest first.
    by_origin: HashMap<IpAddr, BTreeMap<u64, CancellationToken>>,
    /// How many come from where, and the number of the oldest. The last one has most.
    most: BTreeSet<(usize, Reverse<u64>, IpAddr)>,
}

impl Strangers {
    /// Whoever has to go first; it is no longer among them.
    fn first_to_go(&mut self) -> Option<CancellationToken> {
        let (_, Reverse(number), origin) = *self.most.last()?;
        let mut gone = None;
        self.change(origin, |theirs| {
            gone = theirs.remove(&number);
            gone.is_some()
        });
        gone
    }

    /// Changes those of one origin, and its rank with them.
    fn change(&mut self, origin: IpAddr, change: impl FnOnce(&mut BTreeMap<u64, CancellationToken>) -> bool) {
        let theirs = self.by_origin.entry(origin).or_default();
        let before = rank(origin, theirs);
        if change(theirs) {
            before.map(|before| self.most.remove(&before));
            self.most.extend(rank(origin, theirs));
        }
        if theirs.is_empty() {
            self.by_origin.remove(&origin);
        }
    }
}

fn rank(origin: IpAddr, theirs: &BTreeMap<u64, CancellationToken>) -> Option<(usize, Reverse<u64>, IpAddr)> {
    theirs.keys().next().map(|oldest| (theirs.len(), Reverse(*oldest), origin))
}

/// What one stranger can have at least: an address, or a network of IPv6.
fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

fn lock(strangers: &Mutex<Strangers>) -> MutexGuard<'_, Strangers> {
    strangers.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn free(places: &mut Places, peer: &str) -> Place {
        match places.take(peer.parse().unwrap()).await {
            Taken::Free(place) => place,
            other => panic!("no free place: {other:?}"),
        }
    }

    fn is_wanted(place: &Place) -> bool {
        place.standing.over.is_cancelled()
    }

    /// A place for one more; whoever is wanted leaves, as a connection does.
    async fn instead(places: &mut Places, open: &mut Vec<Place>, peer: &str) -> Place {
        let taking = places.take(peer.parse().unwrap());
        let (taken, ()) = tokio::join!(taking, async { open.retain(|place| !is_wanted(place)) });
        match taken {
            Taken::Instead(place) => place,
            other => panic!("no place was made: {other:?}"),
        }
    }

    #[tokio::test]
    async fn the_oldest_of_whoever_has_most_goes_first_and_nobody_with_a_token() {
        let mut places = Places::new(5);
        let known = free(&mut places, "10.0.0.1:1").await;
        known.standing().shows_token(true);
        let mut open = Vec::new();
        // One network is one stranger.
        for peer in ["10.0.0.2:1", "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3:4]:1"] {
            open.push(free(&mut places, peer).await);
        }
        let left = |open: &[Place]| open.iter().map(|place| place.standing.number).collect::<Vec<_>>();
        let late = open[1].standing();
        let sixth = instead(&mut places, &mut open, "[::ffff:10.0.0.2]:9").await;
        assert_eq!(left(&open), [2, 4, 5]);
        // Two of each, and then two of one address in two forms.
        let seventh = instead(&mut places, &mut open, "10.0.0.3:1").await;
        assert_eq!(left(&open), [4, 5]);
        let eighth = instead(&mut places, &mut open, "10.0.0.3:2").await;
        assert_eq!(left(&open), [5]);
        assert!(![&known, &sixth, &seventh, &eighth].into_iter().any(is_wanted));
        // The end of a connection that a request still holds adds nobody.
        late.shows_token(false);
        for place in [&sixth, &seventh, &eighth, &open[0]] {
            place.standing().shows_token(true);
        }
        assert!(matches!(places.take("10.0.0.4:1".parse().unwrap()).await, Taken::None));
        // A token that was revoked holds no place.
        known.standing().shows_token(false);
        open.push(known);
        instead(&mut places, &mut open, "10.0.0.4:1").await;
        assert_eq!(left(&open), [5]);
        let strangers = lock(&places.strangers);
        assert!(strangers.by_origin.is_empty() && strangers.most.is_empty());
    }
}
