//! A child stands where it was told to, goes on when allowed, and can be killed, frozen and asked.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use platform_tests::{Child, Role, Signal, at, eventually, stop_at};

#[tokio::test]
async fn a_child_stops_goes_on_and_ends() {
    if let Some(role) = Role::from_env() {
        at("start");
        stop_at("half way");
        println!("{} saw {}", role.name(), role.value("WEATHER"));
        return;
    }
    let test = "children::a_child_stops_goes_on_and_ends";
    let mut child = Child::spawn(test, "traveller", &[("WEATHER", "rain")]);
    child.reached("start").await;
    child.reached("half way").await;
    assert!(!child.output().contains("saw"));
    child.go();
    assert!(child.ended().await.success());
    assert!(
        child.output().contains("traveller saw rain"),
        "{}",
        child.output()
    );
}

#[tokio::test]
async fn a_killed_child_does_nothing_more() {
    if Role::from_env().is_some() {
        stop_at("the brink");
        println!("beyond");
        return;
    }
    let mut child = Child::spawn("children::a_killed_child_does_nothing_more", "jumper", &[]);
    child.reached("the brink").await;
    child.kill9();
    assert!(!child.output().contains("beyond"));
}

#[tokio::test]
async fn a_frozen_child_goes_on_after_thawing() {
    if Role::from_env().is_some() {
        stop_at("winter");
        stop_at("spring");
        return;
    }
    let mut child = Child::spawn(
        "children::a_frozen_child_goes_on_after_thawing",
        "bear",
        &[],
    );
    child.reached("winter").await;
    child.signal(Signal::Freeze);
    let state = format!("/proc/{}/status", child.id());
    let is_frozen = async || fs::read_to_string(&state).unwrap().contains("T (stopped)");
    eventually(Duration::from_secs(10), is_frozen).await;
    child.go();
    child.signal(Signal::Thaw);
    child.reached("spring").await;
    child.signal(Signal::Terminate);
    assert_eq!(child.ended().await.signal(), Some(15));
}

#[tokio::test]
#[should_panic(expected = "never came to \"the moon\"")]
async fn a_place_never_reached_fails_the_test() {
    if Role::from_env().is_some() {
        return;
    }
    let mut child = Child::spawn(
        "children::a_place_never_reached_fails_the_test",
        "dreamer",
        &[],
    );
    child.reached("the moon").await;
}
