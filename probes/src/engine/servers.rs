//! The servers: what listens on pods' ports, on one thread for all of them.

use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::wire::{Arrival, Listen};

use super::arrivals::{Arrivals, lock};
use super::descriptors;
use super::listener;
use super::reactor::{Command, Reactor};

/// Listeners that answer every probe with their pod's identity, and remember what arrived.
///
/// One thread serves them all; dropping this value stops it and closes every socket.
#[derive(Debug)]
pub struct Servers {
    commands: Sender<Command>,
    wake: Arc<EventFd>,
    arrivals: Arc<Mutex<Arrivals>>,
    thread: Option<JoinHandle<()>>,
}

impl Servers {
    /// Starts the thread. Raises the process' soft limit of open files to its hard limit.
    ///
    /// # Errors
    /// When epoll, an event descriptor or a thread is not to be had.
    pub fn start() -> io::Result<Self> {
        let _ = descriptors::raise_limit();
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = Arc::new(EventFd::from_flags(flags)?);
        let arrivals = Arc::new(Mutex::new(Arrivals::default()));
        let (commands, inbox) = channel();
        let reactor = Reactor::new(inbox, Arc::clone(&wake), Arc::clone(&arrivals))?;
        let thread =
            thread::Builder::new().name("probe-servers".to_owned()).spawn(|| reactor.run())?;
        Ok(Self { commands, wake, arrivals, thread: Some(thread) })
    }

    /// Opens ports for a pod, of both address families, in the network namespace of the
    /// **calling thread**, and returns those that could not be opened, with the operating
    /// system's word why. Ports that the pod has open already stay open.
    ///
    /// Clients can connect as soon as this returns. Where SCTP is spoken on raw sockets, a
    /// namespace with at least one SCTP port answers ABORT on all others.
    pub fn listen(&self, identity: &str, ports: &[Listen]) -> Vec<(Listen, String)> {
        let (listeners, mut failures) = listener::open(&Arc::from(identity), ports);
        let opened: Vec<Listen> = listeners.iter().map(|listener| listener.listen).collect();
        match self.ask(|done| Command::Open(listeners, done)) {
            Some(more) => failures.extend(more),
            None => failures.extend(
                opened.into_iter().map(|listen| (listen, "the server thread is gone".to_owned())),
            ),
        }
        failures
    }

    /// Closes all ports of a pod; they are closed when this returns.
    pub fn close(&self, identity: &str) {
        self.ask(|done| Command::Close(identity.to_owned(), done));
    }

    /// What arrived since the last call, with the identity at which it arrived, in order.
    ///
    /// Waits until everything that has reached the sockets by now is served, so that a round's
    /// arrivals are complete when it is called after the round.
    pub fn take_arrivals(&self) -> Vec<(String, Arrival)> {
        self.ask(Command::CatchUp);
        let kept = std::mem::take(&mut lock(&self.arrivals).kept);
        kept.into_iter().map(|(identity, arrival)| (identity.to_string(), arrival)).collect()
    }

    /// How many arrivals were forgotten since the start because more than a million of them were
    /// not taken. Where this grows, a silent attempt may be `Dropped` that was `ReplyLost`.
    pub fn lost_arrivals(&self) -> u64 {
        lock(&self.arrivals).lost
    }

    /// Sends a command and waits for its answer; `None` when the thread is gone.
    fn ask<T>(&self, command: impl FnOnce(SyncSender<T>) -> Command) -> Option<T> {
        let (done, answer): (SyncSender<T>, Receiver<T>) = sync_channel(1);
        self.commands.send(command(done)).ok()?;
        self.wake.write(1).ok()?;
        answer.recv().ok()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Stop);
        let _ = self.wake.write(1);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed by its hook.
            let _ = thread.join();
        }
    }
}
