//! The tables of the read model: read for the events in hand, written once after them.

use std::collections::HashSet;

use platform_core::store::Dialect;
use platform_core::{Error, Store, TenantId, Tx};
use platform_events::{HandlerError, Reject};

use crate::money::Money;
use crate::record::{Key, for_keys};
use crate::revenue::ledger::{Buyer, Ledger, Line, Sum};
use crate::revenue::{Earned, Sale};

/// Reads everybody whom the events concern.
pub(crate) async fn load<'s>(
    sales: impl Iterator<Item = &'s Sale>,
    tx: &mut Tx,
) -> Result<Ledger, HandlerError> {
    let keys: HashSet<Key<'_>> = sales.flat_map(keys).collect();
    let statement = match tx.dialect() {
        Dialect::Sqlite => BUYERS,
        Dialect::Postgres => BUYERS_POSTGRES,
    };
    let keys: Vec<Key<'_>> = keys.into_iter().collect();
    let rows = tx
        .query(statement)
        .bind(Key::list(&keys)?)
        .fetch_all()
        .await?;
    let mut ledger = Ledger::default();
    for row in &rows {
        let spent: String = row.get("spent")?;
        let spent = serde_json::from_str(&spent)
            .map_err(|error| format!("revenue_customer.spent is damaged: {error}").reject())?;
        let buyer = Buyer {
            country: row.get("country")?,
            spent,
        };
        ledger
            .buyers
            .insert((row.get("tenant")?, row.get("customer")?), buyer);
    }
    Ok(ledger)
}

/// An order that changes hands concerns two customers.
fn keys(sale: &Sale) -> Vec<Key<'_>> {
    match sale {
        Sale::Customer(change) => change
            .entity()
            .map(|customer| Key {
                tenant: &customer.tenant,
                id: &customer.id,
            })
            .into_iter()
            .collect(),
        Sale::Order(change) => [&change.before, &change.after]
            .into_iter()
            .flatten()
            .map(|order| Key {
                tenant: &order.tenant,
                id: &order.customer,
            })
            .collect(),
    }
}

/// Forgets everything, before it is added up again.
pub(crate) async fn clear(tx: &mut Tx) -> Result<(), HandlerError> {
    for sql in [CLEAR_BUYERS, CLEAR] {
        tx.query(sql).execute().await?;
    }
    Ok(())
}

/// Writes what has changed.
pub(crate) async fn save(ledger: &Ledger, tx: &mut Tx) -> Result<(), HandlerError> {
    for ((tenant, customer), buyer) in &ledger.buyers {
        tx.query(SAVE_BUYER)
            .bind(tenant)
            .bind(customer)
            .bind(buyer.country.clone())
            .bind(serde_json::to_string(&buyer.spent)?)
            .execute()
            .await?;
    }
    for (line, added) in &ledger.added {
        add(line, *added, tx).await?;
    }
    Ok(())
}

/// The database cannot add decimals exactly on both sides, so it is done here; the lane is serial.
async fn add(
    (tenant, country, currency): &Line,
    added: Sum,
    tx: &mut Tx,
) -> Result<(), HandlerError> {
    let row = tx
        .query(LINE)
        .bind(tenant)
        .bind(country)
        .bind(currency)
        .fetch_optional()
        .await?;
    let old = match row {
        Some(row) => {
            let total: String = row.get("total")?;
            Sum {
                orders: row.get("orders")?,
                total: Money::stored(&total).map_err(Reject::reject)?,
            }
        }
        None => Sum::NONE,
    };
    let new = old.plus(added).map_err(Reject::reject)?;
    tx.query(SAVE_LINE)
        .bind(tenant)
        .bind(country)
        .bind(currency)
        .bind(new.orders)
        .bind(new.total.to_string())
        .execute()
        .await?;
    Ok(())
}

pub(crate) async fn lines(store: &Store, tenant: &TenantId) -> Result<Vec<Earned>, Error> {
    let rows = store.query(LINES).bind(tenant).fetch_all().await?;
    rows.iter()
        .map(|row| {
            Ok(Earned {
                country: row.get("country")?,
                currency: row.get("currency")?,
                orders: row.get("orders")?,
                total: row.get("total")?,
            })
        })
        .collect()
}

const BUYERS: &str = for_keys!(sqlite: "select tenant, customer, country, spent", "revenue_customer",
    "tenant = given.value->>'tenant' and customer = given.value->>'id'");
const BUYERS_POSTGRES: &str = for_keys!(postgres: "select tenant, customer, country, spent", "revenue_customer",
    "tenant = given.value->>'tenant' and customer = given.value->>'id'");
const SAVE_BUYER: &str = "insert into revenue_customer (tenant, customer, country, spent)
    values ($1, $2, $3, $4)
    on conflict (tenant, customer) do update set country = excluded.country, spent = excluded.spent";
const LINE: &str =
    "select orders, total from revenue where tenant = $1 and country = $2 and currency = $3";
const SAVE_LINE: &str = "insert into revenue (tenant, country, currency, orders, total)
    values ($1, $2, $3, $4, $5)
    on conflict (tenant, country, currency) do update set orders = excluded.orders, total = excluded.total";
const LINES: &str = "select country, currency, orders, total from revenue
    where tenant = $1 and orders <> 0 order by country, currency";
const CLEAR_BUYERS: &str = "delete from revenue_customer -- all tenants: it is built again for all";
const CLEAR: &str = "delete from revenue -- all tenants: it is built again for all";
