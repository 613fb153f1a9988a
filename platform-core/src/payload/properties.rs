//! Properties of stored changes over arbitrary entities.
//!
//! What was written is all there is, exactly, and nothing secret is ever written.

use std::collections::BTreeMap;

use proptest::option;
use proptest::prelude::*;
use serde_json::Value;

use crate::{Change, ChangePayload, Entity, Fields, TenantId};

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(kind = "thing")]
struct Thing {
    #[entity(id)]
    id: String,
    #[entity(tenant)]
    tenant: TenantId,
    #[entity(version)]
    version: u64,
    text: String,
    small: i64,
    big: u64,
    flag: Option<bool>,
    list: Vec<i32>,
    map: BTreeMap<String, u8>,
    owner: String,
    #[entity(personal(subject = "owner"))]
    email: Option<String>,
    #[entity(secret)]
    code: String,
    #[entity(ignored)]
    seen: u8,
    #[entity(nested)]
    home: Place,
    #[entity(nested)]
    work: Option<Place>,
}

#[derive(Debug, Clone, PartialEq, Fields)]
struct Place {
    city: String,
    #[entity(personal(subject = "city"))]
    street: String,
    #[entity(secret, rename = "key")]
    door: String,
    #[entity(nested)]
    inner: Option<Room>,
}

#[derive(Debug, Clone, PartialEq, Fields)]
struct Room {
    number: Option<u16>,
}

/// Secret values carry a mark that no other value can have.
const MARK: &str = "hush-";

fn secret() -> impl Strategy<Value = String> {
    "[a-z]{0,3}".prop_map(|tail| format!("{MARK}{tail}"))
}

fn place() -> impl Strategy<Value = Place> {
    let room = option::of(option::of(0..3_u16).prop_map(|number| Room { number }));
    ("[A-C]{1,2}", "[^a-z]{0,6}", secret(), room).prop_map(|(city, street, door, inner)| Place {
        city,
        street,
        door,
        inner,
    })
}

prop_compose! {
    fn thing()(
        version in 0..4_u64,
        (text, owner) in ("[^a-z]{0,8}", "[A-Z]{1,3}"),
        (small, big, flag) in (any::<i64>(), any::<u64>(), any::<Option<bool>>()),
        list in prop::collection::vec(any::<i32>(), 0..3),
        map in prop::collection::btree_map("[A-C.\"]{0,2}", 0..3_u8, 0..3),
        email in option::of("[^a-z]{0,6}"),
        (code, seen) in (secret(), any::<u8>()),
        (home, work) in (place(), option::of(place())),
    ) -> Thing {
        let (id, tenant) = ("T-1".to_owned(), TenantId::default());
        Thing { id, tenant, version, text, small, big, flag, list, map, owner, email, code, seen, home, work }
    }
}

/// Two states of one thing that share some of their fields.
fn pair() -> impl Strategy<Value = (Thing, Thing)> {
    (thing(), thing(), any::<[bool; 6]>()).prop_map(|(old, mut new, keep)| {
        let [text, numbers, lists, person, home, work] = keep;
        new.version = old.version + 1;
        if text {
            (new.text, new.code) = (old.text.clone(), old.code.clone());
        }
        if numbers {
            (new.small, new.big, new.flag) = (old.small, old.big, old.flag);
        }
        if lists {
            (new.list, new.map) = (old.list.clone(), old.map.clone());
        }
        if person {
            (new.owner, new.email) = (old.owner.clone(), old.email.clone());
        }
        if home {
            new.home = old.home.clone();
        }
        if work {
            new.work = old.work.clone();
        }
        (old, new)
    })
}

/// What is left of a thing once it is stored.
fn visible(thing: &Thing) -> Thing {
    let place = |place: &Place| Place {
        door: String::new(),
        ..place.clone()
    };
    let work = thing.work.as_ref().map(place);
    Thing {
        code: String::new(),
        seen: 0,
        home: place(&thing.home),
        work,
        ..thing.clone()
    }
}

/// The JSON texts of all personal values that are there, in declaration order.
fn personal(thing: &Thing) -> Vec<(String, String)> {
    let places = std::iter::once(&thing.home).chain(&thing.work);
    let streets = places.map(|place| (Some(&place.street), &place.city));
    std::iter::once((thing.email.as_ref(), &thing.owner))
        .chain(streets)
        .filter_map(|(value, subject)| {
            Some((serde_json::to_string(value?).unwrap(), subject.clone()))
        })
        .collect()
}

fn set(state: &mut Value, path: &str, new: Option<&str>) {
    let (object, name) = match path.rsplit_once('.') {
        Some((parents, name)) => (
            state
                .pointer_mut(&format!("/{}", parents.replace('.', "/")))
                .unwrap(),
            name,
        ),
        None => (state, path),
    };
    let fields = object.as_object_mut().unwrap();
    match new {
        Some(text) => drop(fields.insert(name.to_owned(), serde_json::from_str(text).unwrap())),
        None => drop(fields.remove(name)),
    }
}

proptest! {
    #[test]
    fn the_diff_and_the_version_turn_before_into_after((old, new) in pair()) {
        let bytes = Change::updated(&old, &new).unwrap().payload(None).bytes;
        let stored = ChangePayload::parse(&bytes).unwrap();
        let (before, after) = (stored.before().unwrap(), stored.after().unwrap());
        let mut state: Value = serde_json::from_str(before.as_json()).unwrap();
        set(&mut state, "version", Some(&stored.version().to_string()));
        for field in stored.diff() {
            let is_secret = field.path == "code" || field.path.ends_with(".key");
            prop_assert_eq!(field.old == field.new, is_secret);
            prop_assert_eq!(field.old, before.get(field.path));
            set(&mut state, field.path, field.new);
        }
        prop_assert_eq!(state, serde_json::from_str::<Value>(after.as_json()).unwrap());
    }

    #[test]
    fn what_is_restored_is_what_was_visible((old, new) in pair()) {
        let updated = Change::updated(&old, &new).unwrap().payload(None).bytes;
        let (before, after) = ChangePayload::parse(&updated).unwrap().restore::<Thing>().unwrap();
        prop_assert_eq!((before, after), (Some(visible(&old)), Some(visible(&new))));
        let created = Change::created(&new).unwrap().payload(None).bytes;
        let restored = ChangePayload::parse(&created).unwrap().restore::<Thing>().unwrap();
        prop_assert_eq!(restored, (None, Some(visible(&new))));
        let deleted = Change::deleted(&old).unwrap().payload(None).bytes;
        let restored = ChangePayload::parse(&deleted).unwrap().restore::<Thing>().unwrap();
        prop_assert_eq!(restored, (Some(visible(&old)), None));
    }

    #[test]
    fn creation_and_deletion_list_every_field((_, thing) in pair()) {
        let changes = [Change::created(&thing).unwrap(), Change::deleted(&thing).unwrap()];
        for change in changes {
            prop_assert!(!change.is_empty());
            let bytes = change.payload(None).bytes;
            let stored = ChangePayload::parse(&bytes).unwrap();
            let mut state = serde_json::json!({ "version": thing.version, "home": {}, "work": {} });
            if thing.home.inner.is_some() {
                state["home"]["inner"] = Value::from(serde_json::Map::new());
            }
            if thing.work.as_ref().is_some_and(|work| work.inner.is_some()) {
                state["work"]["inner"] = Value::from(serde_json::Map::new());
            }
            for field in stored.diff() {
                set(&mut state, field.path, field.new.or(field.old));
            }
            let whole = stored.after().or(stored.before()).unwrap();
            prop_assert_eq!(state, serde_json::from_str::<Value>(whole.as_json()).unwrap());
        }
    }

    #[test]
    fn secrets_are_nowhere_in_the_bytes((old, new) in pair()) {
        let changes = [
            Change::created(&new).unwrap(),
            Change::updated(&old, &new).unwrap(),
            Change::deleted(&old).unwrap(),
        ];
        for change in changes {
            let text = String::from_utf8(change.payload(None).bytes).unwrap();
            prop_assert!(!text.contains(MARK));
            let printed = format!("{change:?}");
            prop_assert!(!printed.contains(MARK));
        }
    }

    #[test]
    fn a_secret_is_listed_exactly_when_it_changed((old, new) in pair()) {
        let change = Change::updated(&old, &new).unwrap();
        let lists = |path: &str| change.changed().iter().any(|changed| changed == path);
        prop_assert_eq!(lists("code"), old.code != new.code);
        prop_assert_eq!(lists("home.key"), old.home.door != new.home.door);
    }

    #[test]
    fn equal_entities_make_an_empty_change(thing in thing(), seen: u8, version in 0..9_u64) {
        prop_assert!(Change::updated(&thing, &thing).unwrap().is_empty());
        let touched = Thing { seen, version, ..thing.clone() };
        prop_assert!(Change::updated(&thing, &touched).unwrap().is_empty());
    }

    #[test]
    fn personal_ranges_hold_exactly_the_personal_values((old, new) in pair()) {
        let payload = Change::updated(&old, &new).unwrap().payload(Some("Ada"));
        let text = std::str::from_utf8(&payload.bytes).unwrap();
        let found: Vec<_> = payload
            .personal
            .iter()
            .map(|personal| (text[personal.range.clone()].to_owned(), personal.subject.clone()))
            .collect();
        let expected: Vec<_> = personal(&old).into_iter().chain(personal(&new)).collect();
        prop_assert_eq!(found, expected);
    }
}
