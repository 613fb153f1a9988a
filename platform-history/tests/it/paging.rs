//! A timeline is read in pages, newest first.

use platform_core::{Change, Cursor, Entity, Store, TenantId};
use platform_events::Service;
use platform_history::{History, Timeline};
use platform_tests::{Database, each_backend};

use crate::world::{changes, remember, settle, store};

/// Every version, in pages of `limit`, each reached through the text of its cursor.
async fn paged(store: &Store, id: &str, limit: u32) -> Vec<Vec<u64>> {
    let timeline = Timeline::of(store, &TenantId::parse("acme").unwrap(), "order", id);
    let mut pages = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let page = timeline.page(after.as_ref(), limit).await.unwrap();
        pages.push(page.items.iter().map(|entry| entry.version).collect());
        match page.next {
            Some(next) => after = Some(Cursor::from(next.to_string().as_str())),
            None => return pages,
        }
    }
}

async fn pages_join_without_gap_or_overlap(database: Database) {
    let store = store(&database).await;
    remember(&store, changes("acme", "O-1", 7)).await;
    assert_eq!(
        paged(&store, "O-1", 3).await,
        [vec![7, 6, 5], vec![4, 3, 2], vec![1]]
    );
    assert_eq!(paged(&store, "O-1", 7).await, [vec![7, 6, 5, 4, 3, 2, 1]]);
    assert_eq!(paged(&store, "O-1", 0).await.len(), 7);
    assert_eq!(paged(&store, "nobody", 3).await, [Vec::<u64>::new()]);
}

async fn a_page_holds_at_most_200_entries(database: Database) {
    let store = store(&database).await;
    remember(&store, changes("acme", "O-1", 201)).await;
    let lengths: Vec<_> = paged(&store, "O-1", u32::MAX)
        .await
        .iter()
        .map(Vec::len)
        .collect();
    assert_eq!(lengths, [200, 1]);
}

async fn a_cursor_stays_good_while_newer_changes_come(database: Database) {
    let store = store(&database).await;
    let mut all = changes("acme", "O-1", 8);
    let later = all.split_off(4);
    remember(&store, all).await;
    let timeline = Timeline::of(&store, &TenantId::parse("acme").unwrap(), "order", "O-1");
    let first = timeline.page(None, 2).await.unwrap();
    remember(&store, later).await;
    let second = timeline.page(first.next.as_ref(), 2).await.unwrap();
    let versions: Vec<_> = second.items.iter().map(|entry| entry.version).collect();
    assert_eq!(versions, [2, 1]);
}

#[derive(Clone, Entity)]
#[entity(kind = "seat")]
struct Seat {
    #[entity(id)]
    id: String,
    #[entity(incarnation)]
    incarnation: u64,
    #[entity(version)]
    version: u64,
    guest: String,
}

async fn a_later_object_of_the_same_id_comes_first(database: Database) {
    let store = store(&database).await;
    let history = History::of::<Seat>();
    let service = Service::builder("hall", store.clone())
        .with(history)
        .build()
        .await
        .unwrap();
    let old = Seat {
        id: "1A".into(),
        incarnation: 0,
        version: 7,
        guest: "Ada".into(),
    };
    let new = Seat {
        incarnation: 1,
        version: 1,
        guest: "Eve".into(),
        ..old.clone()
    };
    let changes = [
        Change::created(&old),
        Change::deleted(&old),
        Change::created(&new),
    ];
    service
        .publisher()
        .publish(changes.map(Result::unwrap))
        .await
        .unwrap();
    settle(&service).await;
    let timeline = Timeline::of(&store, &TenantId::default(), "seat", "1A");
    let mut told = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let page = timeline.page(after.as_ref(), 1).await.unwrap();
        told.extend(
            page.items
                .iter()
                .map(|entry| (entry.incarnation, entry.version)),
        );
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(told, [(1, 1), (0, 8), (0, 7)]);
}

each_backend!(
    a_later_object_of_the_same_id_comes_first,
    pages_join_without_gap_or_overlap,
    a_page_holds_at_most_200_entries,
    a_cursor_stays_good_while_newer_changes_come,
);
