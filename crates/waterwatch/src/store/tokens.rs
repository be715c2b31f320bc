//! The tokens in memory, shared: the store keeps them right, and whoever hears HTTP
//! asks them at each request.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::watch;
use waterwatch_core::Token;
use waterwatch_core::token::{Digest, Role};

/// All tokens. A copy is the same tokens: what is committed holds in all of them at
/// once.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    kept: RwLock<Kept>,
    /// For those who wait for a change.
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Kept {
    by_digest: HashMap<Digest, Arc<Token>>,
    /// Names are never given twice.
    by_name: BTreeMap<Box<str>, Digest>,
    valid: usize,
}

impl Tokens {
    /// The token with the secret of this digest, if it is valid.
    ///
    /// It is looked up by the digest, never by the secret: how long that takes says
    /// nothing of a secret that is nearly right.
    #[must_use]
    pub fn valid(&self, digest: &Digest) -> Option<Arc<Token>> {
        self.kept().by_digest.get(digest).filter(|token| token.is_valid()).cloned()
    }

    /// The token with the secret of this digest, also if it was revoked.
    #[must_use]
    pub fn get(&self, digest: &Digest) -> Option<Arc<Token>> {
        self.kept().by_digest.get(digest).cloned()
    }

    /// The token of this name, also if it was revoked, and its digest.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<(Digest, Arc<Token>)> {
        let kept = self.kept();
        let digest = *kept.by_name.get(name)?;
        kept.by_digest.get(&digest).map(|token| (digest, Arc::clone(token)))
    }

    /// Waits until the token of this name is not valid: it was revoked, or is not there.
    pub async fn revoked(&self, name: &str) {
        // Before it is looked at: no change is missed in between.
        let mut changed = self.0.changed.subscribe();
        while self.named(name).is_some_and(|(_, token)| token.is_valid()) {
            // It is never closed: we have it.
            let _ = changed.changed().await;
        }
    }

    /// All of them, those that were revoked too, in the order of their names.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Token>> {
        let kept = self.kept();
        kept.by_name.values().filter_map(|digest| kept.by_digest.get(digest)).cloned().collect()
    }

    /// Those after this name in the order of the names, those that were revoked too; at
    /// most so many.
    #[must_use]
    pub fn after(&self, name: &str, tokens_max: usize) -> Vec<Arc<Token>> {
        let kept = self.kept();
        let after = kept.by_name.range::<str, _>((Bound::Excluded(name), Bound::Unbounded));
        after.filter_map(|(_, digest)| kept.by_digest.get(digest)).take(tokens_max).cloned().collect()
    }

    /// How many are valid.
    #[must_use]
    pub fn count_valid(&self) -> usize {
        self.kept().valid
    }

    /// How many there are, with those that were revoked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept().by_digest.len()
    }

    /// Whether there is none, and never was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of the valid tokens of an admin.
    #[must_use]
    pub fn admins(&self) -> Vec<Box<str>> {
        let kept = self.kept();
        let admins = kept.by_digest.values().filter(|token| token.is_valid() && token.role == Role::Admin);
        admins.map(|token| token.name.clone()).collect()
    }

    /// What a batch recorded becomes the state.
    pub fn apply(&self, recorded: &[(Digest, Token)]) {
        if !recorded.is_empty() {
            let mut kept = self.0.kept.write().unwrap_or_else(PoisonError::into_inner);
            kept.apply(recorded.iter().cloned());
            drop(kept);
            self.0.changed.send_replace(());
        }
    }

    /// What was read from the disk is the state.
    pub fn replace(&self, read: Vec<(Digest, Token)>) {
        let mut kept = Kept::default();
        kept.apply(read);
        *self.0.kept.write().unwrap_or_else(PoisonError::into_inner) = kept;
        self.0.changed.send_replace(());
    }

    fn kept(&self) -> RwLockReadGuard<'_, Kept> {
        self.0.kept.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn apply(&mut self, recorded: impl IntoIterator<Item = (Digest, Token)>) {
        for (digest, token) in recorded {
            self.by_name.insert(token.name.clone(), digest);
            self.valid += usize::from(token.is_valid());
            let before = self.by_digest.insert(digest, Arc::new(token));
            self.valid -= usize::from(before.is_some_and(|before| before.is_valid()));
        }
    }
}

#[cfg(test)]
mod tests {
    use waterwatch_core::token::{Revoked, Rights};

    use super::*;

    fn token(name: &str) -> Token {
        Token::new(name, Role::Admin, Rights::ALL, 5, None).unwrap()
    }

    #[test]
    fn all_copies_follow_and_a_token_that_is_revoked_opens_nothing() {
        let tokens = Tokens::default();
        let copy = tokens.clone();
        let (first, second) = (Digest([1; 32]), Digest([2; 32]));
        tokens.apply(&[(first, token("b")), (second, token("a"))]);
        assert_eq!(copy.valid(&first).unwrap().name, "b".into());
        assert_eq!((copy.len(), copy.count_valid(), copy.admins().len()), (2, 2, 2));
        let revoked = Some(Revoked { at_ms: 6, by: "a".into() });
        tokens.apply(&[(first, Token { revoked, ..token("b") })]);
        assert_eq!(copy.valid(&first), None);
        assert!(copy.get(&first).is_some() && copy.named("b").is_some_and(|(digest, _)| digest == first));
        assert_eq!((copy.len(), copy.count_valid(), copy.admins()), (2, 1, vec!["a".into()]));
        let names: Vec<Box<str>> = copy.all().iter().map(|token| token.name.clone()).collect();
        assert_eq!(names, ["a".into(), "b".into()]);
        let after =
            |name, most| copy.after(name, most).iter().map(|token| token.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            (after("", 1), after("a", 9), after("b", 9)),
            (vec!["a".into()], vec!["b".into()], vec![])
        );
        tokens.replace(vec![(first, token("c"))]);
        assert_eq!((copy.valid(&first).unwrap().name.clone(), copy.valid(&second)), ("c".into(), None));
        assert_eq!((copy.len(), copy.count_valid()), (1, 1));
    }
}
