//! A task runs when its time has come, once, whoever dies or stops meanwhile.

use std::time::Duration;

use platform_events::Service;
use platform_tasks::{Tasks, days};
use platform_tests::{Database, each_backend};
use tokio::runtime::Builder;

use crate::world::{
    FollowUp, Gate, Order, Plan, advance, created, effects, follow, later, order, rows, service,
    settle, store, tasks,
};

async fn a_task_runs_at_its_time_only(database: Database) {
    let store = store(&database).await;
    let patient = Order {
        wait_secs: days(3).as_secs(),
        ..order("acme", "O-1", Plan::Write)
    };
    follow(&store, created(&patient)).await;
    later(&store, days(3) - Duration::from_secs(60)).await;
    assert_eq!(rows(&store).await, ["acme follow-up waiting - 0"]);
    later(&store, Duration::from_secs(61)).await;
    assert_eq!(rows(&store).await, ["acme follow-up done - 1"]);
    later(&store, days(30)).await;
    assert_eq!(effects(&store).await, ["acme O-1 1"]);
}

async fn a_task_whose_time_comes_meanwhile_is_run(database: Database) {
    let store = store(&database).await;
    let soon = Order {
        wait_secs: 30,
        ..order("acme", "O-1", Plan::Write)
    };
    let service = service(&store, tasks()).await;
    service.publisher().publish(created(&soon)).await.unwrap();
    let done = async {
        for state in ["waiting", "done"] {
            platform_tests::eventually(Duration::from_secs(20), async || {
                rows(&store).await.iter().any(|row| row.contains(state))
            })
            .await;
            advance(&store, Duration::from_secs(31)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), service.run(done))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(effects(&store).await, ["acme O-1 1"]);
}

async fn what_a_task_publishes_joins_the_chain_of_its_event(database: Database) {
    let store = store(&database).await;
    follow(&store, created(&order("acme", "O-1", Plan::Publish))).await;
    let sql = "select type, tenant, correlation_id from platform_log order by seq";
    let events = store.query(sql).fetch_all().await.unwrap();
    let text = |row: usize, column: &str| events[row].get::<String>(column).unwrap();
    assert_eq!(
        (text(0, "type").as_str(), text(1, "type").as_str()),
        ("order.created", "order.surveyed")
    );
    assert_eq!(text(0, "correlation_id"), text(1, "correlation_id"));
    assert_eq!(text(1, "tenant"), "acme");
    assert_eq!(rows(&store).await, ["acme follow-up done - 1"]);
}

async fn a_process_that_dies_gives_its_task_back(database: Database) {
    let url = database.url();
    let gate = Gate::named(&url);
    let process = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let plan = Plan::Wait(url.clone());
    process.spawn(async move {
        let store = platform_core::Store::open(&url).await.unwrap();
        let service = service(&store, tasks()).await;
        service
            .publisher()
            .publish(created(&order("acme", "O-1", plan)))
            .await
            .unwrap();
        settle(&service).await;
    });
    gate.reached.notified().await;
    // Everything of it goes at once, wherever it is.
    process.shutdown_background();

    let store = store(&database).await;
    assert_eq!(effects(&store).await, [""; 0]);
    gate.open.notify_one();
    let service = service(&store, tasks()).await;
    settle(&service).await;
    assert_eq!(rows(&store).await, ["acme follow-up done - 1"]);
    assert_eq!(effects(&store).await, ["acme O-1 1"]);
}

async fn a_stop_lets_the_task_in_hand_end_and_takes_no_other(database: Database) {
    let store = store(&database).await;
    let gate = Gate::named(&format!("stop {}", database.url()));
    let name = format!("stop {}", database.url());
    let service = service(&store, tasks()).await;
    let first = order("acme", "O-1", Plan::Wait(name.clone()));
    // Due after the first, whatever the order of their lanes.
    let second = Order {
        wait_secs: 1,
        ..order("acme", "O-2", Plan::Write)
    };
    service
        .publisher()
        .publish([created(&first), created(&second)])
        .await
        .unwrap();
    let stop = async {
        gate.reached.notified().await;
        gate.open.notify_one();
    };
    tokio::time::timeout(Duration::from_secs(30), service.run(stop))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(effects(&store).await, ["acme O-1 1"]);
    later(&store, Duration::from_secs(2)).await;
    assert_eq!(effects(&store).await, ["acme O-1 1", "acme O-2 1"]);
}

async fn two_processes_run_each_task_once(database: Database) {
    let (one, two) = (store(&database).await, store(&database).await);
    let (first, second) = (service(&one, tasks()).await, service(&two, tasks()).await);
    let orders: Vec<_> = (0..60)
        .map(|n| created(&order("acme", &format!("O-{n}"), Plan::Write)))
        .collect();
    first.publisher().publish(orders).await.unwrap();
    tokio::join!(settle(&first), settle(&second));
    // The one that settled first may have left its lanes to the other.
    later(&one, Duration::ZERO).await;
    assert_eq!(rows(&one).await, vec!["acme follow-up done - 1"; 60]);
    assert_eq!(effects(&one).await.len(), 60);
}

async fn a_task_of_an_unknown_kind_waits_for_a_process_that_knows_it(database: Database) {
    let store = store(&database).await;
    let waiting = Order {
        wait_secs: 5,
        ..order("acme", "O-1", Plan::Write)
    };
    follow(&store, created(&waiting)).await;
    advance(&store, Duration::from_secs(6)).await;
    let other = || {
        Tasks::new().on(
            "order.never",
            |_: &Order| -> Option<platform_tasks::Later<Nothing>> { None },
        )
    };
    settle(&service(&store, other()).await).await;
    assert_eq!(rows(&store).await, ["acme follow-up waiting - 0"]);
    let knowing: Service = service(&store, other().knowing::<FollowUp>()).await;
    settle(&knowing).await;
    assert_eq!(rows(&store).await, ["acme follow-up done - 1"]);
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Nothing;

impl platform_tasks::Task for Nothing {
    const KIND: &'static str = "nothing";

    async fn run(
        &self,
        _cx: &mut platform_tasks::TaskContext<'_>,
    ) -> Result<(), platform_events::HandlerError> {
        Ok(())
    }
}

each_backend!(
    a_task_runs_at_its_time_only,
    a_task_whose_time_comes_meanwhile_is_run,
    what_a_task_publishes_joins_the_chain_of_its_event,
    a_process_that_dies_gives_its_task_back,
    a_stop_lets_the_task_in_hand_end_and_takes_no_other,
    two_processes_run_each_task_once,
    a_task_of_an_unknown_kind_waits_for_a_process_that_knows_it,
);
