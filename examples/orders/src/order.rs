//! Orders: what customers order. A row of `orders` for each.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use platform_core::store::{Dialect, Query, Row};
use platform_core::{Entity, Error, TenantId, Tx};

use crate::import::{Cells, Refusal};
use crate::money::Money;
use crate::record::{Key, Record, column, for_keys, version_of};

/// Something that a customer ordered.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(kind = "order")]
pub(crate) struct Order {
    #[entity(id)]
    pub(crate) id: String,
    #[entity(tenant)]
    pub(crate) tenant: TenantId,
    #[entity(version)]
    pub(crate) version: u64,
    pub(crate) customer: String,
    /// Where the customer wanted mails when the order changed last, if the customer was known then.
    #[entity(personal(subject = "customer"))]
    pub(crate) email: Option<String>,
    pub(crate) status: String,
    pub(crate) ordered_at: Option<DateTime<Utc>>,
    pub(crate) required_at: Option<DateTime<Utc>>,
    pub(crate) shipped_at: Option<DateTime<Utc>>,
    pub(crate) currency: String,
    pub(crate) total: Money,
}

impl Order {
    /// Answers whether it was called off, so that nothing is earned by it.
    pub(crate) fn is_cancelled(&self) -> bool {
        ["cancelled", "canceled"]
            .iter()
            .any(|word| self.status.eq_ignore_ascii_case(word))
    }
}

impl Record for Order {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "customer",
        "status",
        "ordered_at",
        "required_at",
        "shipped_at",
        "currency",
        "total",
    ];

    fn of(cells: &Cells<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            id: cells.id("id")?,
            tenant: cells.tenant()?,
            version: 1,
            customer: cells.id("customer")?,
            email: None,
            status: cells.required("status")?.to_owned(),
            ordered_at: cells.time("ordered_at")?,
            required_at: cells.time("required_at")?,
            shipped_at: cells.time("shipped_at")?,
            currency: cells.currency("currency")?,
            total: cells.money("total")?,
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
        let total: String = row.get("total")?;
        Ok(Self {
            id: row.get("id")?,
            tenant: row.get("tenant")?,
            version: version_of(row)?,
            customer: row.get("customer")?,
            email: row.get("email")?,
            status: row.get("status")?,
            ordered_at: row.get("ordered_at")?,
            required_at: row.get("required_at")?,
            shipped_at: row.get("shipped_at")?,
            currency: row.get("currency")?,
            total: Money::stored(&total).map_err(Error::invalid)?,
        })
    }

    /// An order's mail needs the customer's address, and an event of the order is all that the mail is made from.
    async fn complete(rows: &mut [Self], tx: &mut Tx) -> Result<(), Error> {
        let customers: Vec<_> = rows
            .iter()
            .map(|row| Key {
                tenant: &row.tenant,
                id: &row.customer,
            })
            .collect();
        let statement = match tx.dialect() {
            Dialect::Sqlite => EMAILS,
            Dialect::Postgres => EMAILS_POSTGRES,
        };
        let found = tx
            .query(statement)
            .bind(Key::list(&customers)?)
            .fetch_all()
            .await?;
        let mut emails: HashMap<(TenantId, String), Option<String>> = HashMap::new();
        for row in &found {
            emails.insert((row.get("tenant")?, row.get("id")?), row.get("email")?);
        }
        for row in rows {
            let customer = (row.tenant.clone(), row.customer.clone());
            row.email = emails.get(&customer).cloned().flatten();
        }
        Ok(())
    }

    /// A new address of the customer alone is no change of the order: it comes along with the next one.
    fn over(&self, old: &Self) -> Option<Self> {
        let filed = Self {
            version: old.version,
            email: old.email.clone(),
            ..self.clone()
        };
        (filed != *old).then(|| Self {
            version: old.version + 1,
            ..self.clone()
        })
    }

    fn event_type(&self, old: &Self) -> &'static str {
        if self.is_cancelled() && !old.is_cancelled() {
            "order.cancelled"
        } else if self.shipped_at.is_some() && old.shipped_at.is_none() {
            "order.shipped"
        } else {
            "order.updated"
        }
    }

    fn happened_at(&self, event_type: &str) -> Option<DateTime<Utc>> {
        match event_type {
            "order.created" => self.ordered_at,
            "order.shipped" => self.shipped_at,
            _ => None,
        }
    }

    fn save<'t>(&self, tx: &'t mut Tx) -> Query<'t> {
        tx.query(SAVE)
            .bind(&self.tenant)
            .bind(&self.id)
            .bind(column(self.version))
            .bind(&self.customer)
            .bind(self.email.clone())
            .bind(&self.status)
            .bind(self.ordered_at)
            .bind(self.required_at)
            .bind(self.shipped_at)
            .bind(&self.currency)
            .bind(self.total.to_string())
    }
}

const OF_KEYS: &str = for_keys!(sqlite: "select orders.*", "orders",
    "orders.tenant = given.value->>'tenant' and orders.id = given.value->>'id'");
const LOCKED_OF_KEYS: &str = for_keys!(postgres: "select orders.*", "orders",
    "orders.tenant = given.value->>'tenant' and orders.id = given.value->>'id'
    order by tenant, id for update of orders");
const EMAILS: &str = for_keys!(sqlite: "select customers.tenant, customers.id, email", "customers",
    "customers.tenant = given.value->>'tenant' and customers.id = given.value->>'id'");
const EMAILS_POSTGRES: &str = for_keys!(postgres: "select customers.tenant, customers.id, email", "customers",
    "customers.tenant = given.value->>'tenant' and customers.id = given.value->>'id'");
const SAVE: &str = "insert into orders (tenant, id, version, customer, email, status, ordered_at,
        required_at, shipped_at, currency, total)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    on conflict (tenant, id) do update set version = excluded.version, customer = excluded.customer,
        email = excluded.email, status = excluded.status, ordered_at = excluded.ordered_at,
        required_at = excluded.required_at, shipped_at = excluded.shipped_at,
        currency = excluded.currency, total = excluded.total
    where orders.version = excluded.version - 1";
