//! Running what blocks where it holds up nobody.

use tokio::task::JoinError;

/// Runs `run` on a thread that may block.
///
/// # Errors
/// Where it ended in a panic, or the runtime stops.
#[cfg(not(feature = "simulation"))]
pub(crate) async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    tokio::task::spawn_blocking(run).await
}

/// Runs `run` on a thread that may block; in a simulation here, as soon as everybody else had a turn.
///
/// # Errors
/// Where it ended in a panic, or the runtime stops.
#[cfg(feature = "simulation")]
pub(crate) async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    if crate::stepped::drives_this_thread() {
        tokio::task::yield_now().await;
        return Ok(run());
    }
    tokio::task::spawn_blocking(run).await
}
