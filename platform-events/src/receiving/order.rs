//! In which order received events may be appended, and which of them must wait: a pure function.

use std::collections::{HashMap, HashSet};

use platform_core::Key;

/// One received event as far as order is concerned.
#[derive(Debug, Clone)]
pub(super) struct Link<'a> {
    pub(super) id: Key,
    pub(super) content: &'a [u8],
    pub(super) predecessor: Option<Key>,
    /// Its predecessor is not waited for, unless it is among the events at hand.
    pub(super) is_excused: bool,
    /// It has waited for long enough, whatever its predecessor is.
    pub(super) is_passed: bool,
}

/// What is to become of each event, by its place in the list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// To append, in this order.
    pub(super) append: Vec<usize>,
    /// To keep until their predecessors are there.
    pub(super) wait: Vec<usize>,
    /// Other content under a known id.
    pub(super) differ: Vec<usize>,
}

/// Plans what becomes of `links`, given the log's ids among them and their predecessors with the content that the
/// log has under each (none once it is erased). What is neither appended, waits nor differs is known.
pub(super) fn plan(links: &[Link<'_>], log: &HashMap<Key, Option<Vec<u8>>>) -> Plan {
    let mut plan = Plan::default();
    let (new, at_hand) = unknown(links, log, &mut plan.differ);
    let mut done: HashSet<Key> = HashSet::new();
    let mut behind: HashMap<Key, Vec<usize>> = HashMap::new();
    for &at in &new {
        let link = &links[at];
        let waits_for = link.predecessor.filter(|before| {
            let is_there = log.contains_key(before) || done.contains(before);
            !is_there && (!link.is_excused || at_hand.contains(before))
        });
        match waits_for {
            Some(before) => behind.entry(before).or_default().push(at),
            None => follow(links, at, (&mut done, &mut behind), &mut plan.append),
        }
    }
    // What names each other in a circle ends here.
    for &at in new.iter().filter(|at| links[**at].is_passed) {
        follow(links, at, (&mut done, &mut behind), &mut plan.append);
    }
    for at in new {
        if done.insert(links[at].id) {
            plan.wait.push(at);
        }
    }
    plan
}

/// Finds what is new among `links`, every copy of it, with the ids at hand; other content under a known id differs.
fn unknown(
    links: &[Link<'_>],
    log: &HashMap<Key, Option<Vec<u8>>>,
    differ: &mut Vec<usize>,
) -> (Vec<usize>, HashSet<Key>) {
    let mut first: HashMap<Key, &[u8]> = HashMap::new();
    let mut new = Vec::new();
    for (at, link) in links.iter().enumerate() {
        let here = log.get(&link.id);
        let known = match here {
            Some(content) => content.as_deref(),
            None => first.get(&link.id).copied(),
        };
        if known.is_some_and(|content| content != link.content) {
            differ.push(at);
        } else if here.is_none() {
            // A second copy may name another predecessor, which may be there.
            first.entry(link.id).or_insert(link.content);
            new.push(at);
        }
    }
    (new, first.into_keys().collect())
}

/// Appends an event and, one after the other, everything that waited for it.
fn follow(
    links: &[Link<'_>],
    at: usize,
    (done, behind): (&mut HashSet<Key>, &mut HashMap<Key, Vec<usize>>),
    append: &mut Vec<usize>,
) {
    let mut ready = vec![at];
    while let Some(at) = ready.pop() {
        let id = links[at].id;
        if done.insert(id) {
            append.push(at);
            let mut next = behind.remove(&id).unwrap_or_default();
            next.reverse();
            ready.extend(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(name: &str) -> Key {
        Key::of("test", &[name.as_bytes()])
    }

    fn link(id: &str, predecessor: &str) -> Link<'static> {
        Link {
            id: key(id),
            content: b"same",
            predecessor: (!predecessor.is_empty()).then(|| key(predecessor)),
            is_excused: false,
            is_passed: false,
        }
    }

    fn log(ids: &[&str]) -> HashMap<Key, Option<Vec<u8>>> {
        let known = |id: &&str| (key(id), Some(b"same".to_vec()));
        ids.iter().map(known).collect()
    }

    #[test]
    fn what_is_planned_for_small_cases() {
        type Case<'a> = (
            &'a [(&'a str, &'a str)],
            &'a [&'a str],
            &'a [usize],
            &'a [usize],
        );
        let cases: [Case<'_>; 8] = [
            (&[("a", ""), ("b", "a")], &[], &[0, 1], &[]),
            (&[("b", "a"), ("a", "")], &[], &[1, 0], &[]),
            (&[("b", "a"), ("c", "b")], &["a"], &[0, 1], &[]),
            (&[("c", "b"), ("b", "a")], &[], &[], &[0, 1]),
            (&[("a", ""), ("a", "")], &[], &[0], &[]),
            (&[("a", "")], &["a"], &[], &[]),
            // A circle waits until its time is over.
            (&[("a", "b"), ("b", "a")], &[], &[], &[0, 1]),
            // The second copy knows a predecessor that is there.
            (&[("b", "lost"), ("b", "a")], &["a"], &[1], &[]),
        ];
        for (links, known, append, wait) in cases {
            let links: Vec<_> = links.iter().map(|(id, before)| link(id, before)).collect();
            let plan = plan(&links, &log(known));
            assert_eq!(
                (&plan.append[..], &plan.wait[..]),
                (append, wait),
                "{links:?}"
            );
        }
    }

    #[test]
    fn an_excused_event_still_follows_a_predecessor_at_hand() {
        let mut b = link("b", "a");
        b.is_excused = true;
        assert_eq!(plan(std::slice::from_ref(&b), &log(&[])).append, [0]);
        assert_eq!(plan(&[b, link("a", "")], &log(&[])).append, [1, 0]);
    }

    #[test]
    fn a_circle_whose_time_is_over_is_appended() {
        let passed = |link: Link<'static>| Link {
            is_excused: true,
            is_passed: true,
            ..link
        };
        let circle = [passed(link("a", "b")), link("b", "a")];
        assert_eq!(plan(&circle, &log(&[])).append, [0, 1]);
    }

    #[test]
    fn other_content_under_a_known_id_differs() {
        let other = Link {
            content: b"other",
            ..link("a", "")
        };
        assert_eq!(plan(std::slice::from_ref(&other), &log(&["a"])).differ, [0]);
        let both = plan(&[link("a", ""), other.clone()], &log(&[]));
        assert_eq!((both.append, both.differ), (vec![0], vec![1]));
        let erased = HashMap::from([(key("a"), None)]);
        assert_eq!(plan(&[other], &erased), Plan::default());
    }

    proptest! {
        #[test]
        fn nothing_overtakes_its_predecessor_and_nothing_is_lost(
            order in Just((0_u8..30).collect::<Vec<_>>()).prop_shuffle(),
            doubles in proptest::collection::vec(0_usize..30, 0..10),
            here in proptest::collection::vec(any::<bool>(), 30),
        ) {
            // Three chains of ten; some links never came.
            let name = |n: u8| format!("{n}");
            let before = |n: u8| if n.is_multiple_of(10) { String::new() } else { name(n - 1) };
            let doubled = doubles.iter().map(|at| order[*at]);
            let came: Vec<u8> = order.iter().copied().chain(doubled)
                .filter(|n| here[usize::from(*n)]).collect();
            let links: Vec<_> = came.iter().map(|n| link(&name(*n), &before(*n))).collect();
            let plan = plan(&links, &HashMap::new());
            let mut appended: Vec<u8> = Vec::new();
            for at in &plan.append {
                let n = came[*at];
                prop_assert!(n.is_multiple_of(10) || appended.contains(&(n - 1)), "{n} in {appended:?}");
                prop_assert!(!appended.contains(&n));
                appended.push(n);
            }
            for at in &plan.wait {
                prop_assert!(!appended.contains(&(came[*at] - 1)));
            }
            let all: HashSet<u8> = came.iter().copied().collect();
            prop_assert_eq!(plan.append.len() + plan.wait.len(), all.len());
        }
    }
}
