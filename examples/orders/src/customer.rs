//! Customers: who orders. A row of `customers` for each.

use chrono::{DateTime, Utc};
use platform_core::store::{Dialect, Query, Row};
use platform_core::{Entity, Error, TenantId, Tx};

use crate::import::{Cells, Refusal};
use crate::record::{Key, Record, column, for_keys, version_of};

/// Somebody who orders.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(kind = "customer")]
pub(crate) struct Customer {
    #[entity(id)]
    pub(crate) id: String,
    #[entity(tenant)]
    pub(crate) tenant: TenantId,
    #[entity(version)]
    pub(crate) version: u64,
    #[entity(personal(subject = "id"))]
    pub(crate) name: String,
    #[entity(personal(subject = "id"))]
    pub(crate) email: Option<String>,
    pub(crate) city: Option<String>,
    pub(crate) country: Option<String>,
}

impl Record for Customer {
    const COLUMNS: &'static [&'static str] = &["id", "name", "email", "city", "country"];

    fn of(cells: &Cells<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            id: cells.id("id")?,
            tenant: cells.tenant()?,
            version: 1,
            name: cells.required("name")?.to_owned(),
            email: cells.email("email")?,
            city: cells.text("city")?.map(str::to_owned),
            country: cells.text("country")?.map(str::to_owned),
        })
    }

    fn key(&self) -> Key<'_> {
        Key {
            tenant: &self.tenant,
            id: &self.id,
        }
    }

    fn locking(dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => OF_KEYS,
            Dialect::Postgres => LOCKED_OF_KEYS,
        }
    }

    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.get("id")?,
            tenant: row.get("tenant")?,
            version: version_of(row)?,
            name: row.get("name")?,
            email: row.get("email")?,
            city: row.get("city")?,
            country: row.get("country")?,
        })
    }

    fn over(&self, old: &Self) -> Option<Self> {
        let is_same = Self {
            version: old.version,
            ..self.clone()
        } == *old;
        (!is_same).then(|| Self {
            version: old.version + 1,
            ..self.clone()
        })
    }

    fn event_type(&self, _old: &Self) -> &'static str {
        "customer.updated"
    }

    fn happened_at(&self, _event_type: &str) -> Option<DateTime<Utc>> {
        None
    }

    fn save<'t>(&self, tx: &'t mut Tx) -> Query<'t> {
        tx.query(SAVE)
            .bind(&self.tenant)
            .bind(&self.id)
            .bind(column(self.version))
            .bind(&self.name)
            .bind(self.email.clone())
            .bind(self.city.clone())
            .bind(self.country.clone())
    }
}

const OF_KEYS: &str = for_keys!(sqlite: "select customers.*", "customers",
    "customers.tenant = given.value->>'tenant' and customers.id = given.value->>'id'");
const LOCKED_OF_KEYS: &str = for_keys!(postgres: "select customers.*", "customers",
    "customers.tenant = given.value->>'tenant' and customers.id = given.value->>'id'
    order by tenant, id for update of customers");
const SAVE: &str = "insert into customers (tenant, id, version, name, email, city, country)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (tenant, id) do update set version = excluded.version, name = excluded.name,
        email = excluded.email, city = excluded.city, country = excluded.country
    where customers.version = excluded.version - 1";
