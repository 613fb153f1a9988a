//! The business that both sides do: an account whose balance moves, and the event of it.

use platform_core::store::{Migrations, Step};
use platform_core::{Change, Entity};

#[derive(Clone, Entity)]
#[entity(kind = "account")]
pub(crate) struct Account {
    #[entity(id)]
    pub(crate) id: String,
    #[entity(version)]
    pub(crate) version: u64,
    pub(crate) balance: i64,
    pub(crate) note: String,
}

impl Account {
    pub(crate) fn at(id: i64, version: u64) -> Self {
        let note = "a note of about a hundred bytes, as real rows have them; it stays the same all the time";
        Self {
            id: id.to_string(),
            version,
            balance: 100,
            note: note.to_owned(),
        }
    }

    pub(crate) fn moved(id: i64, version: u64) -> Change {
        let old = Self::at(id, version);
        let mut new = old.clone();
        new.version += 1;
        new.balance += 1;
        Change::updated(&old, &new).unwrap()
    }
}

pub(crate) const TABLES: Migrations = Migrations {
    set: "bench",
    steps: &[Step {
        version: 1,
        name: "accounts",
        admits: 1,
        sqlite: "create table account (id integer primary key, version integer not null, balance integer not null);
            create table effect (seq integer primary key, n integer);
            create table twin_log (seq integer primary key autoincrement, lane integer, key blob, id_key blob,
                type text, tenant text, correlation_id text, occurred_at integer, recorded_at integer,
                attributes text, data blob);
            create index twin_log_lane on twin_log (lane, seq);
            create index twin_log_key on twin_log (key, seq);
            create index twin_log_correlation on twin_log (correlation_id, seq);
            create table twin_id (id_key blob primary key, seq integer, content_hash blob) without rowid;
            create table twin_lane (lane integer primary key, position integer);
            create table twin_run (id integer primary key, seq_from integer, seq_to integer);",
        postgres: "create table account (id bigint primary key, version bigint not null, balance bigint not null);
            create table effect (seq bigint primary key, n bigint);
            create table twin_log (seq bigint generated always as identity primary key, lane smallint, key uuid,
                id_key uuid, type text, tenant text, correlation_id text, occurred_at timestamptz,
                recorded_at timestamptz, attributes text, data bytea);
            create index twin_log_lane on twin_log (lane, seq);
            create index twin_log_key on twin_log (key, seq);
            create index twin_log_correlation on twin_log (correlation_id, seq);
            create table twin_id (id_key uuid primary key, seq bigint, content_hash bytea);
            create table twin_lane (lane integer primary key, position bigint) with (fillfactor = 50);
            create table twin_run (id bigint generated always as identity primary key, seq_from bigint,
                seq_to bigint);",
    }],
};
