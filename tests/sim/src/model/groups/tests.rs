//! Scenarios of groups, without requests around them.

use std::time::Duration;

use bytes::Bytes;

use super::member::{Joined, Outcome, Synced, Ticket};
use super::{Groups, Joining, MOST_BYTES, MOST_GROUPS, MOST_MEMBERS, Step};
use crate::code;

const START: Duration = Duration::from_secs(100);
const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_secs(60);

/// A group's members and the clock that they share.
struct Scene {
    groups: Groups,
    now: Duration,
}

impl Scene {
    fn new() -> Scene {
        Scene {
            groups: Groups::default(),
            now: START,
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.groups.advance(self.now);
    }

    fn join(&mut self, joining: Joining) -> Step {
        self.groups.join(self.now, "g", joining)
    }

    /// Joins as a new member; its id and what it waits with.
    fn enter(&mut self) -> (String, Result<Joined, Ticket>) {
        match self.join(newcomer()) {
            Step::Now(id, Outcome::Joined(joined)) => (id, Ok(joined)),
            Step::Later(id, ticket) => (id, Err(ticket)),
            refused => panic!("{refused:?}"),
        }
    }

    /// The first member of the group, with its part of the work.
    fn settled(&mut self) -> String {
        let (id, joined) = self.enter();
        let generation = joined.expect("nobody else is there").generation;
        let step = self.sync(&id, generation, &[(&id, "all")]);
        assert_eq!(synced(step), "all");
        id
    }

    fn rejoin(&mut self, id: &str) -> Step {
        let member = id.to_owned();
        self.join(Joining {
            member,
            ..newcomer()
        })
    }

    fn sync(&mut self, id: &str, generation: i32, shares: &[(&str, &str)]) -> Step {
        let shares = shares.iter().map(|(id, share)| {
            let share = Bytes::copy_from_slice(share.as_bytes());
            ((*id).to_owned(), share)
        });
        let shares = shares.collect();
        let names = (Some("consumer"), Some("range"));
        self.groups
            .sync(self.now, "g", (id, generation), names, shares)
    }

    fn heartbeat(&mut self, id: &str, generation: i32) -> i16 {
        self.groups.heartbeat(self.now, "g", id, generation)
    }
}

fn newcomer() -> Joining {
    Joining {
        member: String::new(),
        instance: None,
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::from_static(b"topics"))],
        learns_id_first: false,
    }
}

fn joined(step: Step) -> Joined {
    match step {
        Step::Now(_, Outcome::Joined(joined)) => joined,
        other => panic!("{other:?}"),
    }
}

fn synced(step: Step) -> Bytes {
    match step {
        Step::Now(_, Outcome::Synced(Synced { assignment, .. })) => assignment,
        other => panic!("{other:?}"),
    }
}

fn later(step: Step) -> Ticket {
    match step {
        Step::Later(_, ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

fn refused(step: Step) -> i16 {
    match step {
        Step::Now(_, Outcome::Refused(code)) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lone_member_learns_its_id_and_leads() {
    let mut scene = Scene::new();
    let joining = Joining {
        learns_id_first: true,
        ..newcomer()
    };
    let Step::Now(id, Outcome::Refused(code::MEMBER_ID_REQUIRED)) = scene.join(joining) else {
        panic!("it has to learn its id");
    };
    let place = joined(scene.rejoin(&id));
    assert_eq!(
        (place.generation, &place.leader, &*place.protocol),
        (1, &id, "range")
    );
    assert_eq!(
        place.members,
        [(id.clone(), None, Bytes::from_static(b"topics"))]
    );
    assert_eq!(synced(scene.sync(&id, 1, &[(&id, "all")])), "all");
    assert_eq!(scene.heartbeat(&id, 1), code::NONE);
    // The same again, since the answer may have been lost.
    assert_eq!(synced(scene.sync(&id, 1, &[])), "all");
}

#[test]
fn a_second_member_waits_until_the_first_has_joined_anew() {
    let mut scene = Scene::new();
    let first = scene.settled();
    let (second, waits) = scene.enter();
    let ticket = waits.unwrap_err();
    assert_eq!(scene.heartbeat(&first, 1), code::REBALANCE_IN_PROGRESS);
    assert_eq!(scene.groups.poll("g", &second, ticket), None);

    let leader = joined(scene.rejoin(&first));
    assert_eq!((leader.generation, leader.members.len()), (2, 2));
    let Some(Outcome::Joined(follower)) = scene.groups.poll("g", &second, ticket) else {
        panic!("all have joined");
    };
    assert_eq!((follower.generation, follower.leader), (2, first.clone()));
    assert_eq!(follower.members, []);

    let ticket = later(scene.sync(&second, 2, &[]));
    assert_eq!(scene.groups.poll("g", &second, ticket), None);
    let shares = [(&*first, "0"), (&*second, "1")];
    assert_eq!(synced(scene.sync(&first, 2, &shares)), "0");
    let share = scene.groups.poll("g", &second, ticket);
    assert_eq!(synced(Step::Now(second, share.unwrap())), "1");
}

#[test]
fn a_member_that_is_not_heard_of_is_out() {
    let mut scene = Scene::new();
    let id = scene.settled();
    scene.pass(SESSION - Duration::from_millis(1));
    assert_eq!(scene.heartbeat(&id, 1), code::NONE);
    assert_eq!(scene.groups.next_change("g"), Some(scene.now + SESSION));
    scene.pass(SESSION);
    assert_eq!(scene.heartbeat(&id, 1), code::UNKNOWN_MEMBER_ID);
    assert_eq!(refused(scene.rejoin(&id)), code::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.groups.next_change("g"), None);
}

#[test]
fn who_does_not_join_anew_in_time_is_out() {
    let mut scene = Scene::new();
    let first = scene.settled();
    let (second, waits) = scene.enter();
    // It is there, and busy.
    for _ in 0..59 {
        scene.pass(Duration::from_secs(1));
        assert_eq!(scene.heartbeat(&first, 1), code::REBALANCE_IN_PROGRESS);
    }
    scene.pass(Duration::from_secs(1));
    let outcome = scene.groups.poll("g", &second, waits.unwrap_err());
    let place = joined(Step::Now(second.clone(), outcome.unwrap()));
    assert_eq!((place.generation, place.leader), (2, second));
    assert_eq!(place.members.len(), 1);
    assert_eq!(scene.heartbeat(&first, 1), code::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_leader_that_shares_nothing_out_holds_nobody_up_for_ever() {
    let mut scene = Scene::new();
    let first = scene.settled();
    let (second, waits) = scene.enter();
    assert_eq!(joined(scene.rejoin(&first)).generation, 2);
    assert!(
        scene
            .groups
            .poll("g", &second, waits.unwrap_err())
            .is_some()
    );
    let ticket = later(scene.sync(&second, 2, &[]));
    for _ in 0..60 {
        scene.pass(Duration::from_secs(1));
        scene.heartbeat(&first, 2);
    }
    let outcome = scene.groups.poll("g", &second, ticket);
    assert_eq!(outcome, Some(Outcome::Refused(code::REBALANCE_IN_PROGRESS)));
    assert_eq!(joined(scene.rejoin(&second)).generation, 3);
    assert_eq!(scene.heartbeat(&first, 2), code::UNKNOWN_MEMBER_ID);
}

#[test]
fn an_id_that_never_comes_back_is_forgotten() {
    let mut scene = Scene::new();
    let first = scene.settled();
    let joining = Joining {
        learns_id_first: true,
        ..newcomer()
    };
    assert_eq!(refused(scene.join(joining)), code::MEMBER_ID_REQUIRED);
    let ticket = later(scene.rejoin(&first));
    scene.pass(SESSION);
    let outcome = scene.groups.poll("g", &first, ticket);
    assert_eq!(joined(Step::Now(first, outcome.unwrap())).generation, 2);
}

#[test]
fn a_member_that_leaves_makes_room_at_once() {
    let mut scene = Scene::new();
    let first = scene.settled();
    let (second, waits) = scene.enter();
    assert_eq!(scene.groups.leave(scene.now, "g", &first), code::NONE);
    assert!(
        scene
            .groups
            .poll("g", &second, waits.unwrap_err())
            .is_some()
    );
    assert_eq!(
        scene.groups.leave(scene.now, "g", &first),
        code::UNKNOWN_MEMBER_ID
    );
    assert_eq!(scene.groups.leave(scene.now, "g", &second), code::NONE);
    assert_eq!(scene.groups.next_change("g"), None);
}

#[test]
fn a_member_that_asks_anew_gets_one_answer() {
    let mut scene = Scene::new();
    let first = scene.settled();
    let (second, waits) = scene.enter();
    let again = later(scene.rejoin(&second));
    let outcome = scene.groups.poll("g", &second, waits.unwrap_err());
    assert_eq!(outcome, Some(Outcome::Refused(code::UNKNOWN_MEMBER_ID)));
    assert_eq!(joined(scene.rejoin(&first)).generation, 2);
    assert!(matches!(
        scene.groups.poll("g", &second, again),
        Some(Outcome::Joined(_))
    ));
}

#[test]
fn who_asks_for_what_can_not_be_is_told_why() {
    let mut scene = Scene::new();
    let id = scene.settled();
    let other = Joining {
        protocols: vec![("sticky".to_owned(), Bytes::new())],
        ..newcomer()
    };
    assert_eq!(
        refused(scene.join(other)),
        code::INCONSISTENT_GROUP_PROTOCOL
    );
    let short = Joining {
        session_timeout: Duration::from_secs(5),
        ..newcomer()
    };
    assert_eq!(refused(scene.join(short)), code::INVALID_SESSION_TIMEOUT);
    let large = Joining {
        protocols: vec![("range".to_owned(), vec![0; MOST_BYTES].into())],
        ..newcomer()
    };
    assert_eq!(refused(scene.join(large)), code::INVALID_REQUEST);
    let nameless = scene.groups.join(scene.now, "", newcomer());
    assert_eq!(refused(nameless), code::INVALID_GROUP_ID);
    assert_eq!(refused(scene.sync(&id, 7, &[])), code::ILLEGAL_GENERATION);
    assert_eq!(
        refused(scene.sync("nobody", 1, &[])),
        code::UNKNOWN_MEMBER_ID
    );
    assert_eq!(scene.heartbeat(&id, 0), code::ILLEGAL_GENERATION);
    assert_eq!(scene.heartbeat(&id, 1), code::NONE, "nothing was harmed");
}

#[test]
fn a_group_without_members_makes_room_for_another() {
    let mut scene = Scene::new();
    let id = scene.settled();
    for n in 1..MOST_GROUPS {
        let name = format!("{n}");
        let Step::Now(id, _) = scene.groups.join(scene.now, &name, newcomer()) else {
            panic!("it is alone");
        };
        if n == 7 {
            scene.groups.leave(scene.now, &name, &id);
        }
    }
    let step = scene.groups.join(scene.now, "one more", newcomer());
    assert_eq!(joined(step).generation, 1);
    let step = scene.groups.join(scene.now, "too many", newcomer());
    assert_eq!(refused(step), code::GROUP_MAX_SIZE_REACHED);
    assert!(!scene.groups.by_name.contains_key("7"));
    assert_eq!(scene.heartbeat(&id, 1), code::NONE);
}

#[test]
fn the_members_of_all_groups_are_counted() {
    let mut scene = Scene::new();
    let joining = Joining {
        learns_id_first: true,
        ..newcomer()
    };
    for _ in 0..MOST_MEMBERS {
        assert_eq!(
            refused(scene.join(joining.clone())),
            code::MEMBER_ID_REQUIRED
        );
    }
    assert_eq!(
        refused(scene.join(joining.clone())),
        code::GROUP_MAX_SIZE_REACHED
    );
    scene.pass(SESSION);
    assert_eq!(refused(scene.join(joining)), code::MEMBER_ID_REQUIRED);
}
