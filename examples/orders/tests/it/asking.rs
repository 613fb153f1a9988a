//! What an operator asks, as commands.

use std::process::Output;

use platform_tests::{Database, each_backend};
use serde_json::Value;

use crate::program::{Place, told};

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", told(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn a_mail_is_traced_back_to_its_order(database: Database) {
    let place = Place::with(database);
    assert!(place.run(&[]).status.success());
    let by_event = json(&place.run(&["why", "64", "--json"]));
    let event = &by_event["events"][0];
    assert_eq!(event["event_type"], "order.created");
    let effects = event["effects"].as_array().unwrap();
    let mail = effects
        .iter()
        .find(|effect| effect["kind"] == "notification")
        .unwrap();
    let by_mail = json(&place.run(&["why", mail["id"].as_str().unwrap(), "--json"]));
    assert_eq!(by_mail, by_event);
    let by_id = json(&place.run(&["why", event["id"].as_str().unwrap(), "--json"]));
    assert_eq!(by_id, by_event);
    let nothing = place.run(&["why", "99999"]);
    assert!(!nothing.status.success() && told(&nothing).contains("no event stands at 99999"));
}

async fn a_replay_sends_nothing_again(database: Database) {
    let place = Place::with(database);
    assert!(place.run(&[]).status.success());
    let before = json(&place.run(&["status", "--json"]));
    let revenue = place.run(&["revenue"]).stdout;
    for handler in ["history", "notify", "revenue"] {
        let replay = ["replay", handler, "--because", "a look", "--by", "ada"];
        assert!(place.run(&replay).status.success());
        let behind = json(&place.run(&["lag", "--json"]));
        let is_replaying = |lag: &&Value| lag["lanes"][0]["replaying_to"].is_i64();
        let replaying: Vec<_> = behind
            .as_array()
            .unwrap()
            .iter()
            .filter(is_replaying)
            .collect();
        assert_eq!(replaying.len(), 1, "{behind}");
        assert_eq!(replaying[0]["handler"], handler);
        assert!(place.run(&["work", "--until-settled"]).status.success());
    }
    assert_eq!(json(&place.run(&["status", "--json"])), before);
    assert_eq!(place.run(&["revenue"]).stdout, revenue);
    assert!(place.run(&["audit"]).status.success());
    let wrong = place.run(&["replay", "histroy", "1", "--because", "a look"]);
    assert!(
        !wrong.status.success() && told(&wrong).contains("no handler `histroy`"),
        "{}",
        told(&wrong)
    );
}

each_backend!(
    a_mail_is_traced_back_to_its_order,
    a_replay_sends_nothing_again,
);
