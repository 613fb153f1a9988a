//! The signals by which an operating system ends a service.

/// Completes at the first SIGTERM or Ctrl-C: `service.run(shutdown_signal()).await`.
///
/// # Cancel safety
/// Safe; signals that arrive while nothing waits keep their default effect only until the first call.
pub async fn shutdown_signal() {
    signals(1).await;
}

/// Completes when `count` signals have come.
pub(crate) async fn signals(count: usize) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let streams = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        );
        if let (Ok(mut terminate), Ok(mut interrupt)) = streams {
            for _ in 0..count {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            return;
        }
    }
    for _ in 0..count {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "signals cannot be waited for");
            std::future::pending::<()>().await;
        }
    }
}
