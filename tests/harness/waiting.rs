//! Waiting ends as soon as what is waited for has come, and never later than its bound.

use std::cell::Cell;
use std::time::Duration;

use platform_tests::{eventually, until};

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_the_condition_holds() {
    let asked = Cell::new(0);
    let started = tokio::time::Instant::now();
    eventually(Duration::from_secs(60), async || {
        asked.set(asked.get() + 1);
        asked.get() == 3
    })
    .await;
    assert_eq!(started.elapsed(), Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "waited 1s in vain at")]
async fn waiting_in_vain_fails_and_says_where() {
    eventually(Duration::from_secs(1), async || false).await;
}

#[test]
fn waiting_on_a_thread_is_bounded_too() {
    assert!(until(Duration::ZERO, || true));
    assert!(!until(Duration::from_millis(1), || false));
}
