//! Calls of an API server that has just started: tried again until the step's deadline.

use std::time::Duration;

use anyhow::Context;

use super::execute::Told;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Makes a call until it succeeds or fails for good; the caller's deadline ends it.
/// `absent` says whether what is not there may still come.
///
/// # Errors
/// One that trying again does not cure.
pub(super) async fn retry<T, F: Future<Output = kube::Result<T>>>(
    what: &str,
    told: &Told,
    absent: bool,
    mut call: impl FnMut() -> F,
) -> anyhow::Result<T> {
    let mut pause = FIRST;
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(error) if passing(&error, absent) => {
                told.tell(format!("{what}: {error}"));
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(LONGEST);
            }
            Err(error) => return Err(error).with_context(|| format!("{what} is refused")),
        }
    }
}

/// Whether an error may be gone the next time.
fn passing(error: &kube::Error, absent: bool) -> bool {
    match error {
        kube::Error::Api(status) => {
            matches!(status.code, 409 | 429 | 500 | 503 | 504) || (absent && status.code == 404)
        }
        kube::Error::HyperError(_) | kube::Error::Service(_) => true,
        kube::Error::Discovery(_) => absent,
        _ => false,
    }
}
