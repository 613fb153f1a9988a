//! Where ids are already: in the log, in quarantine, or reported as missing.

use std::collections::{HashMap, HashSet};

use platform_core::store::Dialect;
use platform_core::{Key, Tx};

use super::arrival::Arrival;
use crate::Error;

/// What is known of the ids of some arrivals and of their predecessors.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// With the hash of the content; none once it is erased.
    pub(super) log: HashMap<Key, Option<Vec<u8>>>,
    pub(super) quarantine: HashSet<Key>,
    pub(super) gaps: HashSet<Key>,
}

/// Writes keys as a JSON list of hexadecimal texts, which both databases can take apart.
pub(super) fn list(keys: impl IntoIterator<Item = Key>) -> String {
    let texts: HashSet<String> = keys
        .into_iter()
        .map(|key| key.as_uuid().simple().to_string())
        .collect();
    serde_json::json!(texts).to_string()
}

/// Looks up where the ids of `arrivals` and of their predecessors are.
pub(super) async fn look_up(tx: &mut Tx, arrivals: &[Arrival]) -> Result<Places, Error> {
    let ids = arrivals.iter().map(|arrival| arrival.record.id_key);
    let before = arrivals.iter().filter_map(|arrival| arrival.predecessor);
    let sql = match tx.dialect() {
        Dialect::Sqlite => PLACES_SQLITE,
        Dialect::Postgres => PLACES_POSTGRES,
    };
    let rows = tx.query(sql).bind(list(ids.chain(before)));
    let mut places = Places::default();
    for row in rows.fetch_all().await? {
        let id = row.get("id_key")?;
        match row.get::<String>("place")?.as_str() {
            "log" => drop(places.log.insert(id, row.get("content_hash")?)),
            "gap" => drop(places.gaps.insert(id)),
            _ => drop(places.quarantine.insert(id)),
        }
    }
    Ok(places)
}

const PLACES_SQLITE: &str = "with ids as materialized (select unhex(value) as id from json_each($1))
    select id_key, 'log' as place, content_hash from platform_log_id where id_key in (select id from ids)
    union all
    select id_key, 'quarantine', null from platform_quarantine
        where id_key is not null and id_key in (select id from ids)
    union all
    select id_key, 'gap', null from platform_gap where id_key in (select id from ids)";
const PLACES_POSTGRES: &str = "with ids as materialized (
        select array(select value::uuid from json_array_elements_text($1::json)) as id)
    select id_key, 'log' as place, content_hash from platform_log_id where id_key = any((select id from ids)::uuid[])
    union all
    select id_key, 'quarantine', null from platform_quarantine
        where id_key is not null and id_key = any((select id from ids)::uuid[])
    union all
    select id_key, 'gap', null from platform_gap where id_key = any((select id from ids)::uuid[])";
