//! The service: its tables, its handlers, and what follows from its events.

use std::path::PathBuf;

use platform_core::Store;
use platform_core::store::{Migrations, Step};
use platform_events::{BatchHandler, Error, Service, Start};
use platform_history::History;
use platform_notify::Notifications;

use crate::customer::Customer;
use crate::order::Order;
use crate::revenue::Revenue;
use crate::{mails, survey};

const MIGRATIONS: Migrations = Migrations {
    set: "orders",
    steps: &[Step {
        version: 1,
        name: "orders",
        admits: 1,
        sqlite: include_str!("../migrations/sqlite/0001_orders.sql"),
        postgres: include_str!("../migrations/postgres/0001_orders.sql"),
    }],
};

/// Wires the service over an open store; mails go into a folder.
pub(crate) async fn service(store: &Store, mails: PathBuf) -> Result<Service, Error> {
    Service::builder("orders", store.clone())
        .with_migrations(MIGRATIONS)
        .with(History::of::<Order>().and::<Customer>())
        .with(
            Notifications::to_folder(mails)
                .with_sender("shop@example.org")
                .with_rules(mails::rules()),
        )
        .with(survey::tasks())
        .handle(Revenue.from(Start::Beginning))
        .build()
        .await
}
