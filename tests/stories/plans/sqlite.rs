//! SQLite is asked for the plan of every statement that stands in the library's source.

use platform_core::Store;
use platform_tests::Backend;
use syn::visit::{self, Visit};

use super::{Deep, behind, rows};
use crate::running::{PATIENCE, Running};
use crate::world::{open, post, with_nulls};

/// What workers ask all the time, and what keeps up with them.
const WORKERS: [(&str, &str); 4] = [
    (
        "log/sqlite.rs",
        include_str!("../../../platform-events/src/log/sqlite.rs"),
    ),
    (
        "blocked.rs",
        include_str!("../../../platform-events/src/blocked.rs"),
    ),
    (
        "overview.rs",
        include_str!("../../../platform-events/src/overview.rs"),
    ),
    (
        "retention/sqlite.rs",
        include_str!("../../../platform-events/src/retention/sqlite.rs"),
    ),
];

/// What people ask about one event or one handler.
const PEOPLE: [(&str, &str); 1] = [(
    "runs.rs",
    include_str!("../../../platform-events/src/runs.rs"),
)];

/// Counts everything, when a person asks.
const MAY_SCAN: [&str; 1] = ["OVERVIEW"];

const LONG: [&str; 4] = [
    "platform_log",
    "platform_log_id",
    "platform_blocked",
    "platform_run",
];

struct Statements(Vec<(String, String)>);

impl<'ast> Visit<'ast> for Statements {
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if let syn::Expr::Lit(literal) = &*item.expr
            && let syn::Lit::Str(text) = &literal.lit
        {
            self.0.push((item.ident.to_string(), text.value()));
        }
        visit::visit_item_const(self, item);
    }
}

/// The statements of a source that use one of the long tables.
fn statements(source: &str) -> Vec<(String, String)> {
    let mut found = Statements(Vec::new());
    found.visit_file(&syn::parse_file(source).unwrap());
    found.0.retain(|(name, sql)| {
        !name.ends_with("_POSTGRES")
            && !MAY_SCAN.contains(&name.as_str())
            && LONG.iter().any(|table| sql.contains(table))
    });
    found.0
}

async fn load(store: &Store, statements: &[&'static str]) {
    let mut tx = store.begin().await.unwrap();
    for sql in statements {
        tx.query(sql).bind(rows()).execute().await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Asserts that no statement looks at every row of a long table.
async fn assert_indexed(sources: &[(&str, &str)], asked_min: usize, sorts: bool) {
    let database = Backend::Sqlite.fresh().await;
    let store = open(&database).await;
    post(&store, behind(&Deep::default())).await.unwrap();
    load(&store, &[LOG, IDS, BLOCKED]).await;
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for (file, source) in sources {
        for (name, sql) in statements(source) {
            asked += 1;
            let explain = format!("explain query plan {sql}").leak();
            for step in with_nulls(&store, explain).fetch_all().await.unwrap() {
                let detail: String = step.get("detail").unwrap();
                let is_sorted = sorts && detail.contains("TEMP B-TREE FOR ORDER BY");
                if is_sorted || is_scan(&detail, &sql) {
                    wrong.push(format!("{file} {name}: {detail}"));
                }
            }
        }
    }
    assert!(asked >= asked_min, "only {asked} statements were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_workers_ask_on_sqlite_uses_an_index() {
    assert_indexed(&WORKERS, 15, false).await;
    assert_indexed(&WORKERS[..1], 6, true).await;
}

#[tokio::test]
async fn what_people_ask_on_sqlite_uses_an_index() {
    assert_indexed(&PEOPLE, 3, true).await;
}

/// Whether a step looks at every row of a long table.
fn is_scan(detail: &str, sql: &str) -> bool {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let called = |table: &str| {
        let at = words.iter().position(|word| *word == table);
        at.and_then(|at| words.get(at + 1))
            .copied()
            .unwrap_or_default()
    };
    let scanned = detail
        .strip_prefix("SCAN ")
        .and_then(|rest| rest.split(' ').next());
    scanned.is_some_and(|name| {
        LONG.iter()
            .any(|table| name == *table || name == called(table))
    })
}

/// A deep backlog is read at a steady pace: what was read does not slow what comes.
#[tokio::test]
async fn a_deep_backlog_on_sqlite_is_read_to_its_end() {
    let database = Backend::Sqlite.fresh().await;
    let store = open(&database).await;
    let deep = Deep::default();
    post(&store, behind(&deep)).await.unwrap();
    load(&store, &[LOG, IDS]).await;
    let running = Running::start(post(&store, behind(&deep)).await.unwrap());
    platform_tests::eventually(10 * PATIENCE, async || deep.handled() == rows() / 2).await;
    running.settled().await;
    running.stop().await;
}

const LOG: &str = "with recursive n(n) as (select 1 union all select n + 1 from n where n < $1)
    insert into platform_log (seq, lane, key, id_key, type, tenant, correlation_id, occurred_at,
        recorded_at, attributes, data)
    select n, n % 16, cast(printf('%016d', n % 1000) as blob), cast(printf('%016d', n) as blob),
        case n % 2 when 0 then 'loaded.often' else 'loaded.seldom' end, 'default', 'loaded', 0, 0,
        json_object('specversion', '1.0', 'id', 'loaded-' || n, 'source', 'post', 'type',
            case n % 2 when 0 then 'loaded.often' else 'loaded.seldom' end,
            'datacontenttype', 'application/json', 'correlationid', 'loaded',
            'tenantid', 'default'), cast('{}' as blob)
    from n";
const IDS: &str = "insert into platform_log_id (id_key, seq) select id_key, seq from platform_log
    where seq <= $1";
const BLOCKED: &str =
    "with recursive n(n) as (select 1 union all select n + 1 from n where n < $1 / 20)
    insert into platform_blocked (group_id, key, lane, tenant, head, type, state, first_failed_at,
        due, updated_at)
    select 1, cast(printf('b%015d', n) as blob), n % 16, 'default', n, 'loaded.often',
        case n % 2 when 0 then 'parked' else 'waiting' end, 0, 9000000000000000, 0 from n";
