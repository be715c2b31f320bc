//! Tokens that are added and revoked while the server runs.

use waterwatch_core::alarm::Rejected;
use waterwatch_core::token::{Digest, Right, Rights, Role, TOKENS_MAX};

use super::turns::{NOTHING, Turns, turns};
use crate::command::{Command, Done, NotDone, Outcome, What};
use crate::store::{Store, Tokens};
use crate::writer::clock::Clock;
use crate::writer::simulation::disk::Fault;

fn digest(number: u32) -> Digest {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    Digest(bytes)
}

fn add(name: &str, role: Role, number: u32) -> What {
    What::AddToken { name: name.into(), role, rights: Rights::default(), digest: digest(number) }
}

fn revoke(name: &str) -> What {
    What::RevokeToken { name: name.into() }
}

/// What becomes of these, in one batch, and what the ledger says.
fn order(turns: &mut Turns, whats: Vec<What>) -> (Vec<Outcome>, Vec<String>) {
    let deadline = turns.clock.instant();
    let command = |what| Command { what, by: "root".into(), deadline };
    turns.obey(whats.into_iter().map(command).collect(), &[])
}

fn tokens(turns: &Turns) -> Tokens {
    turns.recorder.store.tokens().unwrap().clone()
}

fn rejections(outcomes: Vec<Outcome>) -> Vec<Option<Rejected>> {
    let why = |outcome| match outcome {
        Outcome::Done(Done { state: None, occurrence: None, .. }) => None,
        Outcome::Rejected(rejected) => Some(rejected),
        other => panic!("{other:?}"),
    };
    outcomes.into_iter().map(why).collect()
}

#[test]
fn whoever_is_added_is_known_from_the_commit_on_and_whoever_is_revoked_no_more() {
    let mut turns = turns();
    let known = tokens(&turns);
    let added = What::AddToken {
        name: "gateway".into(),
        role: Role::Viewer,
        rights: [Right::Report].into_iter().collect(),
        digest: digest(1),
    };
    assert_eq!(turns.order(added), ["token_added by Ada, gateway (viewer, may report)"]);
    let token = known.valid(&digest(1)).unwrap();
    assert_eq!((&*token.name, token.created_by.as_deref()), ("gateway", Some("Ada")));
    assert_eq!(token.created_at_ms, turns.clock.now().wall_ms);
    assert_eq!(turns.order(revoke("gateway")), ["token_revoked by Ada, gateway (viewer, may report)"]);
    assert_eq!(known.valid(&digest(1)), None);
    assert_eq!(known.get(&digest(1)).unwrap().revoked.as_ref().map(|revoked| &*revoked.by), Some("Ada"));
}

/// Also against those of the same batch.
#[test]
fn a_name_and_a_secret_are_given_once_and_for_ever() {
    let mut turns = turns();
    let taken = |is_revoked| Some(Rejected::TokenNameTaken { name: "Ana".into(), is_revoked });
    let wanted =
        vec![add("Ana", Role::Viewer, 1), add(" Ana ", Role::Viewer, 2), add("Ben", Role::Viewer, 1)];
    let (outcomes, told) = order(&mut turns, wanted);
    assert_eq!(rejections(outcomes), [None, taken(false), Some(Rejected::TokenSecretTaken)]);
    assert_eq!(told, ["token_added by root, Ana (viewer)"]);
    let wanted = vec![revoke("Ana"), add("Ana", Role::Viewer, 3), revoke("Ana"), revoke("Ben")];
    let (outcomes, _) = order(&mut turns, wanted);
    let at_ms = turns.clock.now().wall_ms;
    let twice = Some(Rejected::TokenAlreadyRevoked { by: "root".into(), at_ms });
    let none = Some(Rejected::NoSuchToken { name: "Ben".into() });
    assert_eq!(rejections(outcomes), [None, taken(true), twice.clone(), none]);
    turns.skip(1_000, 1_000);
    let wanted = vec![add("Ana", Role::Viewer, 3), add("Ben", Role::Viewer, 1), revoke("Ana")];
    let (outcomes, told) = order(&mut turns, wanted);
    assert_eq!(rejections(outcomes), [taken(true), Some(Rejected::TokenSecretTaken), twice]);
    assert_eq!(told, NOTHING);
}

#[test]
fn nobody_locks_everybody_out() {
    let mut turns = turns();
    let last = |name: &str| Some(Rejected::LastAdmin { name: name.into() });
    // In one batch, and over several.
    let wanted = vec![
        add("first", Role::Admin, 1),
        revoke("first"),
        add("Ben", Role::Operator, 2),
        revoke("first"),
        add("second", Role::Admin, 3),
        revoke("first"),
        revoke("second"),
    ];
    let (outcomes, _) = order(&mut turns, wanted);
    let wanted = [None, last("first"), None, last("first"), None, None, last("second")];
    assert_eq!(rejections(outcomes), wanted);
    let (outcomes, _) = order(&mut turns, vec![revoke("second"), add("third", Role::Admin, 4)]);
    assert_eq!(rejections(outcomes), [last("second"), None]);
    let (outcomes, _) = order(&mut turns, vec![revoke("second"), revoke("third"), revoke("Ben")]);
    assert_eq!(rejections(outcomes), [None, last("third"), None]);
    assert_eq!(tokens(&turns).admins(), ["third".into()]);
}

#[test]
fn there_are_so_many_and_no_more_and_a_revoked_one_makes_room() {
    let mut turns = turns();
    let most = u32::try_from(TOKENS_MAX).unwrap();
    let (outcomes, _) =
        order(&mut turns, (0..most - 1).map(|n| add(&n.to_string(), Role::Viewer, n)).collect());
    assert!(rejections(outcomes).iter().all(Option::is_none));
    let (outcomes, _) =
        order(&mut turns, vec![add("last", Role::Viewer, most), add("more", Role::Viewer, most + 1)]);
    let no_more = Some(Rejected::TokensMax { tokens_max: TOKENS_MAX });
    assert_eq!(rejections(outcomes), [None, no_more.clone()]);
    let (outcomes, _) = order(&mut turns, vec![add("more", Role::Viewer, most + 1), revoke("7")]);
    assert_eq!(rejections(outcomes), [no_more, None]);
    let (outcomes, _) = order(&mut turns, vec![add("more", Role::Viewer, most + 1)]);
    assert_eq!(rejections(outcomes), [None]);
}

#[test]
fn what_could_not_be_meant_is_rejected() {
    let mut turns = turns();
    let acknowledge =
        What::AddToken { name: "wall".into(), role: Role::Viewer, rights: Rights::ALL, digest: digest(1) };
    let (outcomes, told) = order(&mut turns, vec![acknowledge, add("", Role::Viewer, 2)]);
    let beyond = Rejected::RightBeyondRole { right: Right::Acknowledge, role: Role::Viewer };
    let missing = Rejected::Missing("the name of a token");
    assert_eq!((rejections(outcomes), told.len()), (vec![Some(beyond), Some(missing)], 0));
}

/// Nobody is let in, or kept out, by what was not stored.
#[test]
fn what_is_not_stored_changes_nothing() {
    for (fault, is_there) in
        [(Fault::Full, false), (Fault::Unknown(false), false), (Fault::Unknown(true), true)]
    {
        let mut turns = turns();
        order(&mut turns, vec![add("Ana", Role::Viewer, 1)]);
        let known = tokens(&turns);
        turns.fail(fault);
        let (outcomes, _) = order(&mut turns, vec![revoke("Ana"), add("Ben", Role::Viewer, 2)]);
        let not_done = Outcome::NotDone(NotDone::NotStored);
        assert_eq!(outcomes.iter().all(|outcome| *outcome == not_done), !is_there, "{fault:?}");
        assert_eq!(known.valid(&digest(1)).is_some(), !is_there, "{fault:?}");
        assert_eq!(known.valid(&digest(2)).is_some(), is_there, "{fault:?}");
    }
}
