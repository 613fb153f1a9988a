//! A small business for the tests: orders that are shipped, customers that are told.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use platform_core::store::Options;
use platform_core::{Change, Entity, Store, TenantId};
use platform_events::Service;
use platform_events::event::IntoDrafts;
use platform_notify::{Mailbox, Notifications, Notify, Rules};
use platform_tests::Database;
use tempfile::TempDir;

#[derive(Clone, Debug, Entity)]
#[entity(kind = "order")]
pub(crate) struct Order {
    #[entity(id)]
    pub(crate) id: String,
    #[entity(tenant)]
    pub(crate) tenant: TenantId,
    #[entity(version)]
    pub(crate) version: u64,
    pub(crate) status: String,
    pub(crate) customer: String,
    pub(crate) email: String,
}

pub(crate) fn order(tenant: &str, id: &str) -> Order {
    Order {
        id: id.into(),
        tenant: TenantId::parse(tenant).unwrap(),
        version: 1,
        status: "placed".into(),
        customer: "Ada".into(),
        email: "ada@example.com".into(),
    }
}

pub(crate) fn shipped(order: &Order) -> Change {
    let new = Order {
        version: order.version + 1,
        status: "shipped".into(),
        ..order.clone()
    };
    Change::updated(order, &new).unwrap().named("order.shipped")
}

/// Two rules for shipped orders: the customer is told, and the warehouse.
pub(crate) fn rules() -> Rules {
    Rules::new()
        .on("order.shipped", |order: &Order| {
            Notify::template("order-shipped")
                .to(Mailbox::of(&order.email).named(&order.customer))
                .subject(format!("Order {} for {}", order.id, order.customer))
                .text(format!(
                    "Hello {},\nyour order {} is on its way.\n",
                    order.customer, order.id
                ))
        })
        .on("order.*", |order: &Order| {
            (order.status == "shipped").then(|| {
                Notify::template("shelf-free")
                    .to("warehouse@example.com")
                    .subject("A free shelf")
            })
        })
}

/// A store with a folder for mails beside it.
pub(crate) struct World {
    pub(crate) store: Store,
    folder: TempDir,
}

impl World {
    pub(crate) async fn of(database: &Database) -> Self {
        let store = Options::new(&database.url())
            .without_flush()
            .open()
            .await
            .unwrap();
        Self {
            store,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn mails_path(&self) -> PathBuf {
        self.folder.path().join("mails")
    }

    pub(crate) async fn service(&self, rules: Rules) -> Service {
        let notifications = Notifications::to_folder(self.mails_path())
            .with_sender(Mailbox::of("shop@Example.com").named("The Shop"))
            .with_rules(rules);
        let builder = Service::builder("shop", self.store.clone());
        builder.with(notifications).build().await.unwrap()
    }

    /// Publishes, and lets a service with these rules handle all there is.
    pub(crate) async fn tell(&self, rules: Rules, events: impl IntoDrafts) -> Service {
        let service = self.service(rules).await;
        service.publisher().publish(events).await.unwrap();
        settle(&service).await;
        service
    }

    /// The mails by file name, in the order of their names.
    pub(crate) fn mails(&self) -> Vec<(String, String)> {
        let Ok(files) = fs::read_dir(self.mails_path()) else {
            return Vec::new();
        };
        let mut mails: Vec<_> = files
            .map(|file| file.unwrap())
            .map(|file| {
                let name = file.file_name().into_string().unwrap();
                (name, fs::read_to_string(file.path()).unwrap())
            })
            .collect();
        mails.sort();
        mails
    }

    /// Rows as `tenant rule recipient channel state code`, sorted.
    pub(crate) async fn rows(&self) -> Vec<String> {
        let sql =
            "select tenant || ' ' || rule || ' ' || recipient || ' ' || channel || ' ' || state
                || ' ' || coalesce(code, '-') as told
            from platform_notification order by 1";
        let rows = self.store.query(sql).fetch_all().await.unwrap();
        rows.iter().map(|row| row.get("told").unwrap()).collect()
    }

    /// Lets every group read the log again from its beginning.
    pub(crate) async fn redeliver(&self, rules: Rules) -> Service {
        let mut tx = self.store.begin().await.unwrap();
        tx.query("update platform_lane set position = 0")
            .execute()
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let service = self.service(rules).await;
        settle(&service).await;
        service
    }
}

pub(crate) async fn settle(service: &Service) {
    let bound = Duration::from_secs(30);
    tokio::time::timeout(bound, service.run_until_settled())
        .await
        .unwrap()
        .unwrap();
}
