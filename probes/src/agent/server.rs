//! The container's first process: threads around [`Sessions`] and [`Executor`].
//!
//! The main thread takes connections and signals, and ends what is silent. One
//! thread does what sessions ask for. Each connection has one that reads and
//! one that writes, so a heartbeat is answered whatever the others do.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::Uid;

use crate::sctp_support;
use crate::wire::Reason;

use super::executor::Executor;
use super::session::{GREETING, Next, Sessions, attempts_of};
use super::whereabouts::whereabouts;
use super::{ServeOptions, abstract_socket};

/// Connections at once. A run has one, and two for a moment when it resumes.
const MOST_CONNECTIONS: usize = 16;

/// How long the main thread leaves a socket alone that gave an error instead of a connection.
const REST: Duration = Duration::from_millis(100);

/// Why threads share the sessions: any of them may change what the others have to do.
#[derive(Debug)]
struct Desk {
    sessions: Mutex<Sessions>,
    changed: Condvar,
}

impl Desk {
    /// Sessions stay meaningful when a thread panicked while it held them.
    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and wakes whoever waits for a change.
    fn change<T>(&self, change: impl FnOnce(&mut Sessions) -> T) -> T {
        let value = change(&mut self.lock());
        self.changed.notify_all();
        value
    }

    /// Waits until there is something.
    fn wait_for<T>(&self, mut look: impl FnMut(&mut Sessions) -> Option<T>) -> T {
        let mut sessions = self.lock();
        loop {
            if let Some(found) = look(&mut sessions) {
                return found;
            }
            sessions = self.changed.wait(sessions).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Serves until SIGTERM or SIGINT. Ports that cannot be opened are named on standard error, and
/// told to a run that asks for them; they are no error.
///
/// Call it from a process' only thread: signals are blocked in it and in those that it starts.
///
/// # Errors
/// When the socket's name is taken, or what every server needs is not to be had (epoll, threads).
pub fn serve(options: &ServeOptions) -> io::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    // Blocked, they also reach the first process of a PID namespace, which the kernel spares
    // signals that it has no handler for (pid_namespaces(7)).
    signals.thread_block()?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;

    let mut executor = Executor::new(options.identity.clone())?;
    for (listen, reason) in executor.listen(&options.listen) {
        eprintln!(
            "ringfence-agent: expected to listen on {}/{}: {reason}",
            listen.port, listen.protocol
        );
    }
    if let Some(ahead) = &options.watch
        && let Err(error) = executor.watch_ahead(ahead.clone())
    {
        eprintln!("ringfence-agent: it does not watch from its start: {error}");
    }
    // The socket comes last: whoever can connect finds the ports open.
    let address = abstract_socket(&options.socket)?;
    let listener = UnixListener::bind_addr(&address).map_err(|error| {
        let words =
            format!("expected the abstract socket `{}` to be free: {error}", options.socket);
        io::Error::new(error.kind(), words)
    })?;
    listener.set_nonblocking(true)?;
    let desk = Arc::new(Desk {
        sessions: Mutex::new(Sessions::new(options.identity.clone(), sctp_support())),
        changed: Condvar::new(),
    });
    let work = Arc::clone(&desk);
    thread::Builder::new().name("executor".to_owned()).spawn(move || execute(&work, executor))?;
    eprintln!("ringfence-agent: `{}` serves on `@{}`", options.identity, options.socket);
    attend(&desk, &listener, &signals)
}

/// The main thread's work, until a signal comes.
fn attend(desk: &Arc<Desk>, listener: &UnixListener, signals: &SignalFd) -> io::Result<()> {
    let mut resting = false;
    loop {
        let expires = desk.lock().expires();
        let wait = expires.map(|at| at.saturating_duration_since(Instant::now()));
        let wait = if resting { Some(wait.map_or(REST, |wait| wait.min(REST))) } else { wait };
        let events = if resting { PollFlags::empty() } else { PollFlags::POLLIN };
        let mut watched = [
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(listener.as_fd(), events),
        ];
        match poll(&mut watched, wait.map_or(PollTimeout::NONE, rounded_up)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        if signals.read_signal()?.is_some() {
            return Ok(());
        }
        resting = match listener.accept() {
            Ok((stream, _)) => welcome(desk, stream).is_err(),
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
        let now = Instant::now();
        if expires.is_some_and(|at| at <= now) {
            desk.change(|sessions| sessions.expire(now));
        }
    }
}

/// In milliseconds, never too few: a wait that ends early would be begun again and again.
fn rounded_up(wait: Duration) -> PollTimeout {
    PollTimeout::try_from(wait + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
}

/// Gives a connection its threads.
fn welcome(desk: &Arc<Desk>, stream: UnixStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    // Nobody reads: a greeting's time is enough to notice.
    stream.set_write_timeout(Some(GREETING))?;
    let peer = getsockopt(&stream, sockopt::PeerCredentials).map_err(io::Error::from)?;
    let reading = stream.try_clone()?;
    let whereabouts = whereabouts();
    let number = desk.change(|sessions| {
        let number = sessions.connect(Instant::now(), whereabouts);
        let own = Uid::effective();
        if peer.uid() != own.as_raw() {
            let message = format!("expected user {own}, found user {}", peer.uid());
            sessions.end(number, Reason::Stranger, message);
        } else if sessions.connections() > MOST_CONNECTIONS {
            let message = format!("expected at most {MOST_CONNECTIONS} connections at once");
            sessions.end(number, Reason::Busy, message);
        }
        number
    });
    let start = |name: &str, work: fn(&Desk, u64, UnixStream), stream| {
        let desk = Arc::clone(desk);
        thread::Builder::new().name(name.to_owned()).spawn(move || work(&desk, number, stream))
    };
    let started = start("reader", read, reading).and_then(|_| start("writer", write, stream));
    if let Err(error) = started {
        desk.change(|sessions| sessions.disconnect(number));
        return Err(error);
    }
    Ok(())
}

fn read(desk: &Desk, number: u64, mut stream: UnixStream) {
    let mut bytes = vec![0; 16 << 10];
    loop {
        match stream.read(&mut bytes) {
            Ok(count @ 1..) => {
                desk.change(|sessions| {
                    sessions.on_bytes(number, &bytes[..count], Instant::now());
                });
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
        }
    }
    desk.change(|sessions| sessions.disconnect(number));
}

fn write(desk: &Desk, number: u64, mut stream: UnixStream) {
    loop {
        let next = desk.wait_for(|sessions| match sessions.next(number) {
            Next::Wait => None,
            next => Some(next),
        });
        match next {
            Next::Frame(frame) if stream.write_all(&frame).is_ok() => {}
            _ => break,
        }
    }
    // The reader sees the end, and the connection is forgotten.
    let _ = stream.shutdown(Shutdown::Both);
}

/// Does what sessions ask for, one thing after the other.
fn execute(desk: &Desk, mut executor: Executor) {
    /// An agent that answers heartbeats and does nothing would be waited for; one that ends is
    /// started anew.
    struct EndWithPanic;
    impl Drop for EndWithPanic {
        fn drop(&mut self) {
            if thread::panicking() {
                process::abort();
            }
        }
    }
    let _guard = EndWithPanic;
    loop {
        let (session, work) = desk.wait_for(Sessions::next_work);
        let attempts = attempts_of(&work);
        if let Some(answer) = executor.perform(work) {
            desk.change(|sessions| sessions.finish(session, attempts, &answer));
        }
    }
}
