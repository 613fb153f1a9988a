//! PostgreSQL is asked by auto_explain, which writes every plan that was used, and how many rows
//! each of its steps touched, into the server's log.

use std::collections::BTreeMap;

use platform_core::Store;
use platform_events::{Event, Handler, Start};
use platform_tests::{eventually, postgres};
use serde_json::Value;

use super::{Deep, Late, behind, rows};
use crate::running::{PATIENCE, Running};
use crate::world::{note, open_url, post};

/// At most one read of a lane, and the row that ends it.
const ROWS_MAX: f64 = 1_001.0;

async fn execute(store: &Store, sql: &'static str) {
    store.query(sql).execute().await.unwrap();
}

/// A database with a long log and a long list of blocked keys.
async fn loaded() -> postgres::Database {
    let database = postgres::fresh().await;
    let store = open_url(database.url()).await;
    // The first of the groups is the one whose keys are blocked.
    post(&store, behind(&Deep::default())).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.query("select platform_log_partition($1)")
        .bind(rows() + 1)
        .execute()
        .await
        .unwrap();
    for sql in [LOG, IDS, BLOCKED] {
        tx.query(sql).bind(rows()).execute().await.unwrap();
    }
    tx.query("select setval('platform_log_seq', $1)")
        .bind(rows())
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    store.close().await;
    database
}

/// Makes later sessions of the database write every plan into the log.
async fn explained(database: &postgres::Database, settings: &[&str]) -> Store {
    let store = open_url(database.url()).await;
    let row = store
        .query("select current_database() as name")
        .fetch_one()
        .await
        .unwrap();
    let name: String = row.get("name").unwrap();
    let always = [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_analyze = on",
        "auto_explain.log_timing = off",
        "auto_explain.log_format = 'json'",
    ];
    execute(&store, "load 'auto_explain'").await;
    for setting in always.iter().chain(settings) {
        execute(
            &store,
            format!("alter database {name} set {setting}").leak(),
        )
        .await;
    }
    store.close().await;
    open_url(database.url()).await
}

/// Reads on in the backlog, catches up elsewhere, stumbles and looks for followers.
async fn works(store: &Store) {
    let (deep, late) = (Deep::default(), Late::default());
    let handlers = behind(&deep)
        .into_iter()
        .chain([late.clone().from(Start::Now)]);
    let running = Running::start(post(store, handlers).await.unwrap());
    let publisher = running.service().publisher();
    let mut texts = vec!["stumble"];
    texts.extend(std::iter::repeat_n("goes on", 20));
    for text in texts {
        publisher
            .publish(note("late", text).unkeyed())
            .await
            .unwrap();
    }
    eventually(10 * PATIENCE, async || deep.handled() >= rows() / 4).await;
    eventually(PATIENCE, async || late.handled() == 21).await;
    running.stop().await;
}

/// The plans in the log of a database.
fn plans(log: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.ends_with("plan:") {
            continue;
        }
        let mut text = String::new();
        while let Some(more) = lines.next_if(|line| line.starts_with('\t')) {
            text.push_str(more);
            text.push('\n');
        }
        found.push(serde_json::from_str(&text).unwrap());
    }
    found
}

/// One step of a plan with all below it.
fn steps(plan: &Value) -> Vec<&Value> {
    let below = plan["Plans"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(steps);
    std::iter::once(plan).chain(below).collect()
}

fn number(step: &Value, name: &str) -> f64 {
    step[name].as_f64().unwrap_or_default()
}

/// How many rows of the long tables a step touched, if it uses one of them.
fn touched(step: &Value, long: &[String]) -> Option<f64> {
    let table = step["Relation Name"].as_str()?;
    if !long.iter().any(|name| name == table) {
        return None;
    }
    let removed = ["Rows Removed by Filter", "Rows Removed by Index Recheck"];
    let removed: f64 = removed.iter().map(|name| number(step, name)).sum();
    Some(number(step, "Actual Rows") + removed)
}

/// A plan in short: each step with its table and the rows that came of it.
fn outline(plan: &Value) -> String {
    let text = |name: &str| plan[name].as_str().unwrap_or_default();
    let below: Vec<String> = plan["Plans"]
        .as_array()
        .into_iter()
        .flatten()
        .map(outline)
        .collect();
    let (kind, table, rows) = (
        text("Node Type"),
        text("Relation Name"),
        &plan["Actual Rows"],
    );
    format!(
        "{kind} {table} {rows} x {} ({})",
        plan["Actual Loops"],
        below.join(", ")
    )
}

async fn long_tables(store: &Store) -> Vec<String> {
    let rows = store.query(LONG).fetch_all().await.unwrap();
    rows.iter().map(|row| row.get("name").unwrap()).collect()
}

async fn no_statement_touches_more_than_it_reads(is_analyzed: bool, settings: &[&str]) {
    let database = loaded().await;
    let store = open_url(database.url()).await;
    if is_analyzed {
        execute(&store, "analyze").await;
    }
    store.close().await;
    let store = explained(&database, settings).await;
    works(&store).await;
    store.close().await;
    let quiet = open_url(database.url()).await;
    execute(&quiet, "analyze").await;
    let long = long_tables(&quiet).await;
    assert!(long.len() >= 3, "{long:?}");
    let plans = plans(&database.log());
    assert_all_asked(&plans);
    let worst = worst(&plans, &long);
    let wrong: Vec<String> = worst
        .into_iter()
        .filter(|(_, (rows, _))| *rows > ROWS_MAX)
        .map(|(sql, (rows, plan))| format!("{rows} rows for {sql}\n    {}", outline(plan)))
        .collect();
    assert!(
        wrong.is_empty(),
        "of {} plans:\n{}",
        plans.len(),
        wrong.join("\n")
    );
}

/// The statements that this is about were among those that were made.
fn assert_all_asked(plans: &[Value]) {
    let asked = |words: &str| {
        let text = |plan: &Value| {
            plan["Query Text"]
                .as_str()
                .is_some_and(|sql| sql.contains(words))
        };
        plans.iter().any(text)
    };
    for words in [
        "cross join lateral",
        "where key = $1",
        "w.due <=",
        "max(seq)",
        "nextval",
    ] {
        assert!(
            asked(words),
            "no statement with {words:?} among {} plans",
            plans.len()
        );
    }
}

/// For each statement the plan in which one step touched the most rows.
fn worst<'p>(plans: &'p [Value], long: &[String]) -> BTreeMap<String, (f64, &'p Value)> {
    let mut worst: BTreeMap<String, (f64, &Value)> = BTreeMap::new();
    for plan in plans {
        let sql = plan["Query Text"].as_str().unwrap_or_default();
        // A test's own question, and the keys of a lane, which are loaded once when it is taken.
        if sql.contains("count(*) as n") || sql.starts_with("select key, head") {
            continue;
        }
        let words: Vec<&str> = sql.split_whitespace().collect();
        let plan = &plan["Plan"];
        let rows = steps(plan)
            .into_iter()
            .filter_map(|step| touched(step, long))
            .fold(0.0, f64::max);
        let entry = worst.entry(words.join(" ")).or_insert((rows, plan));
        if rows > entry.0 {
            *entry = (rows, plan);
        }
    }
    worst
}

#[tokio::test]
async fn every_statement_on_postgres_touches_only_what_it_reads() {
    no_statement_touches_more_than_it_reads(true, &[]).await;
}

#[tokio::test]
async fn a_plan_made_for_all_parameters_touches_only_what_it_reads() {
    let generic = ["plan_cache_mode = force_generic_plan"];
    no_statement_touches_more_than_it_reads(true, &generic).await;
}

/// After a restore nobody has counted anything yet.
#[tokio::test]
async fn a_database_without_statistics_touches_only_what_it_reads() {
    no_statement_touches_more_than_it_reads(false, &["autovacuum = on"][..0]).await;
}

const LONG: &str = "select relname::text as name from pg_class
    where relkind = 'r' and relname like 'platform%' and reltuples >= 5000";
const LOG: &str = "insert into platform_log (seq, lane, key, id_key, type, tenant, correlation_id,
        occurred_at, recorded_at, attributes, data)
    select n, n % 16, md5((n % 1000)::text)::uuid, md5('id' || n)::uuid, kind, 'default', 'loaded',
        'epoch', 'epoch',
        json_build_object('specversion', '1.0', 'id', 'loaded-' || n, 'source', 'post',
            'type', kind, 'datacontenttype', 'application/json', 'correlationid', 'loaded',
            'tenantid', 'default')::text, '{}'
    from (select n, case n % 2 when 0 then 'loaded.often' else 'loaded.seldom' end as kind
        from generate_series(1, $1) n) n";
const IDS: &str = "insert into platform_log_id (id_key, seq) select id_key, seq from platform_log
    where seq <= $1";
const BLOCKED: &str =
    "insert into platform_blocked (group_id, key, lane, tenant, head, type, state,
        first_failed_at, due, updated_at)
    select (select min(id) from platform_group), md5('b' || n)::uuid, n % 16, 'default', n,
        'loaded.often', case n % 2 when 0 then 'parked' else 'waiting' end, 'epoch',
        '2100-01-01', 'epoch' from generate_series(1, $1 / 20) n";
