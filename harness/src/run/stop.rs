//! A way to end a run early, with its teardown.

use tokio::sync::watch;

/// Asks a run to stop. Dropping it asks for nothing.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Stopper {
    /// Asks: no scenario starts any more, and those under way are torn down.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// Where a run looks whether it shall stop.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A pair of one who asks and one who looks.
    pub fn new() -> (Stopper, Self) {
        let (sender, receiver) = watch::channel(false);
        (Stopper(sender), Self(receiver))
    }

    /// Nobody will ask.
    pub fn never() -> Self {
        Self::new().1
    }

    /// Whether somebody asked.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when somebody asks, and never otherwise.
    pub async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending().await
        }
    }
}
