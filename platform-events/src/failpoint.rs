//! Named places where a test can stop or kill the process; nothing at all without the feature `failpoints`.

/// Passes a named place. With the feature `failpoints`, `PLATFORM_FAILPOINT=NAME[#N]=abort|stop` aborts the process
/// there, or prints `at: NAME` and waits for a line on standard input, at the N-th passing (the first unless said).
#[cfg(feature = "failpoints")]
pub(crate) fn reached(name: &str) {
    armed::from_env(name);
}

/// Passes a named place.
#[cfg(not(feature = "failpoints"))]
pub(crate) fn reached(_name: &str) {}

#[cfg(feature = "failpoints")]
mod armed {
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering};

    static PASSED: AtomicU64 = AtomicU64::new(0);

    pub(super) fn from_env(name: &str) {
        let Ok(wanted) = std::env::var("PLATFORM_FAILPOINT") else {
            return;
        };
        let Some((place, action)) = wanted.split_once('=') else {
            return;
        };
        let (place, nth) = place.split_once('#').unwrap_or((place, "1"));
        if place != name {
            return;
        }
        let passed = PASSED.fetch_add(1, Ordering::AcqRel) + 1;
        if Some(passed) != nth.parse().ok() {
            return;
        }
        match action {
            "abort" => std::process::abort(),
            _ => stop(name),
        }
    }

    fn stop(name: &str) {
        let mut out = std::io::stdout().lock();
        if writeln!(out, "at: {name}")
            .and_then(|()| out.flush())
            .is_ok()
        {
            drop(out);
            let mut line = String::new();
            let read = std::io::stdin().read_line(&mut line);
            tracing::debug!(?read, "goes on");
        }
    }
}
