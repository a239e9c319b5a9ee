//! Ctrl-C and SIGTERM, by which whoever runs a command wants it to end.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failure::Failure;

/// Waits for signals. SIGHUP is left alone, since `nohup` has it ignored.
pub(super) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    count: usize,
}

impl Interrupts {
    /// From now on the signals do not end the process.
    ///
    /// # Errors
    /// Where the system refuses to listen.
    pub(super) fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            let listening = signal(kind).context("signals cannot be listened to");
            listening.map_err(Failure::untold)
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            count: 0,
        })
    }

    /// Waits for the next one, and says the how many-th it is, from 1. Nothing is lost where the
    /// future is dropped before.
    pub(super) async fn next(&mut self) -> usize {
        tokio::select! {
            Some(()) = self.interrupt.recv() => {}
            Some(()) = self.terminate.recv() => {}
            // Nothing more can come.
            else => std::future::pending().await,
        }
        self.count += 1;
        self.count
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{Signal as Name, raise};

    use super::*;

    #[tokio::test]
    async fn both_signals_are_counted() {
        let mut interrupts = Interrupts::listen().unwrap_or_else(|_| panic!("it listens"));
        for (count, name) in [(1, Name::SIGTERM), (2, Name::SIGINT), (3, Name::SIGTERM)] {
            raise(name).unwrap();
            assert_eq!(interrupts.next().await, count);
        }
    }
}
