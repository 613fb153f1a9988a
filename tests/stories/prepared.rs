//! Each database reads every statement that stands as a constant in the source and is meant for it: a
//! table or column that is not there is found, also where no other test comes by.

use std::collections::HashMap;
use std::path::Path;
use std::{fs, mem};

use platform_core::Store;
use platform_core::store::{Migrations, Step};
use platform_events::Service;
use platform_tests::{Backend, Database, each_backend};
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Expr, Lit, LitStr};

use crate::world::{count, open, with_nulls};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const FOLDERS: [&str; 6] = [
    "platform-core/src",
    "platform-events/src",
    "platform-history/src",
    "platform-notify/src",
    "platform-tasks/src",
    "examples/orders/src",
];

/// Each database has a few more than this.
const FOUND_MIN: usize = 80;

/// Meant for PostgreSQL, though neither their file nor their name says so.
const POSTGRES_ONLY: [(&str, &str); 6] = [
    ("platform-core/src/store/migrate.rs", "LOCK"),
    ("platform-events/src/fence.rs", "MARK"),
    ("platform-events/src/fence.rs", "READ_BY_PLACE"),
    ("platform-events/src/fence.rs", "RETRY_BY_PLACE"),
    ("platform-events/src/groups.rs", "LOCK"),
    ("platform-tasks/src/queue.rs", "CLAIM_LOCKED"),
];

/// The example is a program, so its tables come as files.
const ORDERS: Migrations = Migrations {
    set: "orders",
    steps: &[Step {
        version: 1,
        name: "orders",
        admits: 1,
        sqlite: include_str!("../../examples/orders/migrations/sqlite/0001_orders.sql"),
        postgres: include_str!("../../examples/orders/migrations/postgres/0001_orders.sql"),
    }],
};

async fn every_statement_is_understood(database: Database) {
    let mut statements = statements(&sources());
    let here = database.backend();
    statements.retain(|statement| statement.only.is_none_or(|only| only == here));
    let found = statements.len();
    assert!(found >= FOUND_MIN, "only {found} statements were found");
    let refused = refused(&database, &statements).await;
    assert!(refused.is_empty(), "of {found}:\n{}", refused.join("\n"));
}

async fn a_misspelled_column_is_refused(database: Database) {
    let source = r#"
        const RIGHT: &str = "select position from platform_lane where group_id = $1";
        const WRONG: &str = "select positon from platform_lane where group_id = $1";
        const NO_STATEMENT: &str = "position";
        mod tests { const WRONG: &str = "select positon from platform_lane"; }
    "#;
    let statements = statements(&[("wrong.rs".to_owned(), source.to_owned())]);
    assert_eq!(statements.len(), 2);
    let refused = refused(&database, &statements).await;
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].starts_with("wrong.rs WRONG: "), "{refused:?}");
    assert!(refused[0].contains("positon"), "{refused:?}");
}

each_backend!(
    every_statement_is_understood,
    a_misspelled_column_is_refused
);

/// The list of exceptions holds nothing that is gone or that SQLite understands.
#[tokio::test]
async fn what_is_for_postgres_alone_is_refused_by_sqlite() {
    let mut statements = statements(&sources());
    statements.retain(|Statement { file, name, .. }| is_postgres_only(file, name));
    let refused = refused(&Backend::Sqlite.fresh().await, &statements).await;
    assert_eq!(refused.len(), POSTGRES_ONLY.len(), "{refused:#?}");
}

#[test]
fn a_statement_of_a_macro_is_joined_as_the_macro_says() {
    let source = r#"
        macro_rules! of {
            (sqlite: $what:literal, $from:literal) => { concat!("select ", $what, " from ", $from) };
            (postgres: $what:literal) => { concat!("select ", $what) };
        }
        const A: &str = of!(sqlite: "a", "b");
        const B: &str = of!(postgres: "c");
    "#;
    let statements = statements(&[("macros.rs".to_owned(), source.to_owned())]);
    let read: Vec<_> = statements
        .iter()
        .map(|found| (found.sql.as_str(), found.only))
        .collect();
    let of_sqlite = ("select a from b", Some(Backend::Sqlite));
    assert_eq!(read, [of_sqlite, ("select c", Some(Backend::Postgres))]);
}

/// Lets a database read statements, and says for each that it refuses where it stands and why.
async fn refused(database: &Database, statements: &[Statement]) -> Vec<String> {
    let store = open(database).await;
    migrate(&store).await;
    let oid = match database.backend() {
        Backend::Sqlite => 0,
        Backend::Postgres => count(&store, LOG_OID).await,
    };
    let mut refused = Vec::new();
    for (number, statement) in statements.iter().enumerate() {
        let Statement {
            file, name, sql, ..
        } = statement;
        let sql = match database.backend() {
            Backend::Sqlite => format!("explain {sql}"),
            // Each has a name of its own, since nobody knows which connection prepares it; quoted, its parameters
            // are none of the statement around it.
            Backend::Postgres => {
                let quoted = filled(&typed(sql), oid).replace('\'', "''");
                format!("do $do$ begin execute 'prepare p{number} as {quoted}'; end $do$")
            }
        };
        if let Err(error) = with_nulls(&store, sql.leak()).execute().await {
            let reason = error.into_source().unwrap();
            refused.push(format!("{file} {name}: {reason}"));
        }
    }
    refused
}

/// Makes the tables of all crates and of the example.
async fn migrate(store: &Store) {
    Service::builder("post", store.clone())
        .with_migrations(platform_history::MIGRATIONS)
        .with_migrations(platform_notify::MIGRATIONS)
        .with_migrations(platform_tasks::MIGRATIONS)
        .with_migrations(ORDERS)
        .build()
        .await
        .unwrap();
}

const LOG_OID: &str = "select 'platform_log_seq'::regclass::oid::bigint as n";

/// What the log fills into its statements when it is opened; the harness gives it no schema of its own.
fn filled(sql: &str, oid: i64) -> String {
    let lock = i32::from_ne_bytes(u32::try_from(oid).unwrap().to_ne_bytes());
    sql.replace("{schema}", "\"public\"")
        .replace("{oid}", &oid.to_string())
        .replace("{partition}", "platform_log_0_1000000")
        .replace("{lock}", &lock.to_string())
}

/// Says what PostgreSQL cannot know of a parameter without the type that the library binds: what is
/// taken from a time is a span, and to be null or not says nothing about a type.
fn typed(sql: &str) -> String {
    let mut parts = sql.split('$');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, part| {
        let end = part.find(|c: char| !c.is_ascii_digit());
        let (number, after) = part.split_at(end.unwrap_or(part.len()));
        if after.starts_with(" is null") {
            format!("{before}null{after}")
        } else if before.ends_with("platform_time) - ") {
            format!("{before}${number}::interval{after}")
        } else {
            format!("{before}${number}{after}")
        }
    })
}

/// A constant of the source that holds a statement.
struct Statement {
    file: String,
    name: String,
    sql: String,
    /// The one database that it is meant for.
    only: Option<Backend>,
}

/// The paths, from the root of the workspace, and the texts of all sources.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        collect(folder, &mut found);
    }
    found
}

fn collect(folder: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if path.ends_with("/tests") || path.ends_with("/tests.rs") {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            collect(&path, found);
        } else if path.ends_with(".rs") {
            found.push((path, fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

fn statements(sources: &[(String, String)]) -> Vec<Statement> {
    let mut constants = Constants::default();
    let mut read = Vec::new();
    for (file, text) in sources {
        constants.visit_file(&syn::parse_file(text).unwrap());
        read.push((file, mem::take(&mut constants.found)));
    }
    // A macro may stand in a later file than its calls.
    read.iter()
        .flat_map(|(file, found)| of_file(file, found, &constants.arms))
        .collect()
}

fn of_file(file: &str, found: &[(String, Expr)], arms: &Arms) -> Vec<Statement> {
    let texts: HashMap<&str, String> = found
        .iter()
        .filter_map(|(name, expr)| Some((name.as_str(), text(expr, arms)?)))
        .collect();
    let floor = texts.get("FLOOR").map_or("", String::as_str);
    let has = |name: &str| texts.contains_key(name);
    let statement = |(name, expr): &(String, Expr)| {
        let sql = text(expr, arms)?.replace("{floor}", floor);
        is_statement(&sql).then(|| Statement {
            only: only(file, name, expr, has),
            file: file.to_owned(),
            name: name.clone(),
            sql,
        })
    };
    found.iter().filter_map(statement).collect()
}

fn is_statement(text: &str) -> bool {
    let verb = text.split_whitespace().next().unwrap_or_default();
    ["select", "insert", "update", "delete", "with"].contains(&verb)
}

/// The one database that a constant is for, by its file, its name, the arm of its macro, or a sibling
/// that is for the other one.
fn only(file: &str, name: &str, expr: &Expr, has: impl Fn(&str) -> bool) -> Option<Backend> {
    let arm = match expr {
        Expr::Macro(call) => call.mac.tokens.clone().into_iter().next(),
        _ => None,
    };
    let arm = arm.map(|arm| arm.to_string()).unwrap_or_default();
    let says = |word: &str, suffix: &str, other: &str| {
        file.ends_with(&format!("/{word}.rs"))
            || file.contains(&format!("/{word}/"))
            || name.ends_with(suffix)
            || arm == word
            || has(&format!("{name}{other}"))
    };
    if says("sqlite", "_SQLITE", "_POSTGRES") {
        return Some(Backend::Sqlite);
    }
    let is_postgres = says("postgres", "_POSTGRES", "_SQLITE") || is_postgres_only(file, name);
    is_postgres.then_some(Backend::Postgres)
}

fn is_postgres_only(file: &str, name: &str) -> bool {
    POSTGRES_ONLY.contains(&(file, name))
}

/// What a file declares outside of its tests.
#[derive(Default)]
struct Constants {
    found: Vec<(String, Expr)>,
    arms: Arms,
}

impl<'ast> Visit<'ast> for Constants {
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.found
            .push((item.ident.to_string(), (*item.expr).clone()));
        visit::visit_item_const(self, item);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if let Some(name) = &item.ident {
            let arms = self.arms.entry(name.to_string()).or_default();
            arms.extend(Arm::all(item.mac.tokens.clone()));
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
}

/// The arms of each macro by its name.
type Arms = HashMap<String, Vec<Arm>>;

/// One arm of a macro that joins texts with `concat!`.
struct Arm {
    pattern: TokenStream,
    parts: TokenStream,
}

impl Arm {
    /// The arms of a `macro_rules!`; those that do something else are left out.
    fn all(definition: TokenStream) -> Vec<Self> {
        let groups: Vec<TokenStream> = definition.into_iter().filter_map(group).collect();
        groups
            .chunks_exact(2)
            .filter_map(|arm| {
                let mut body = arm[1].clone().into_iter();
                let is_join = body.next()?.to_string() == "concat";
                let parts = body.find_map(group)?;
                let pattern = arm[0].clone();
                (is_join && body.next().is_none()).then_some(Self { pattern, parts })
            })
            .collect()
    }

    /// What a call becomes, if it is one of this arm.
    fn joined(&self, call: TokenStream) -> Option<String> {
        let values = self.values(call)?;
        let mut joined = String::new();
        let mut parts = self.parts.clone().into_iter();
        while let Some(part) = parts.next() {
            match part.to_string().as_str() {
                "," => {}
                "$" => joined.push_str(values.get(&parts.next()?.to_string())?),
                _ => joined.push_str(&literal(part)?),
            }
        }
        Some(joined)
    }

    /// The texts that a call gives for the names of the pattern.
    fn values(&self, call: TokenStream) -> Option<HashMap<String, String>> {
        let mut values = HashMap::new();
        let mut call = call.into_iter();
        let mut pattern = self.pattern.clone().into_iter();
        while let Some(token) = pattern.next() {
            let given = call.next()?;
            if token.to_string() == "$" {
                values.insert(pattern.next()?.to_string(), literal(given)?);
                // The colon and the word `literal`.
                pattern.nth(1)?;
            } else if token.to_string() != given.to_string() {
                return None;
            }
        }
        call.next().is_none().then_some(values)
    }
}

fn group(token: TokenTree) -> Option<TokenStream> {
    match token {
        TokenTree::Group(group) => Some(group.stream()),
        _ => None,
    }
}

fn literal(token: TokenTree) -> Option<String> {
    let text: LitStr = syn::parse2(token.into()).ok()?;
    Some(text.value())
}

/// The text that a constant is: a literal, or the call of a macro that joins some.
fn text(expr: &Expr, arms: &Arms) -> Option<String> {
    match expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        Expr::Macro(call) => {
            let name = call.mac.path.segments.last()?.ident.to_string();
            let mut arms = arms.get(&name).into_iter().flatten();
            let joined = arms.find_map(|arm| arm.joined(call.mac.tokens.clone()));
            assert!(joined.is_some(), "no arm of {name} takes this call");
            joined
        }
        _ => None,
    }
}
