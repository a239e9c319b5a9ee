//! An agent's processes, and a run's end of a session with them.

use std::io::{ErrorKind, Read, Write};
use std::net::UdpSocket;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ringfence_probe::agent::session::{ClientSession, Event};
use ringfence_probe::wire::Message;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_ringfence-agent");

/// How long anything may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// An agent; killed when it goes out of scope.
pub(crate) struct Agent {
    pub(crate) child: Child,
    pub(crate) socket: String,
}

impl Agent {
    /// Starts one with a socket of its own, and waits until it can be reached.
    pub(crate) fn start(listen: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self::start_on(&format!("ringfence-test-{}-{number}", std::process::id()), listen)
    }

    pub(crate) fn start_on(socket: &str, listen: &str) -> Self {
        let child = Command::new(BINARY)
            .args(["serve", "--identity", "prod/db", "--socket", socket])
            .env("RINGFENCE_LISTEN", listen)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self { child, socket: socket.to_owned() };
        let start = Instant::now();
        while UnixStream::connect_addr(&address(socket)).is_err() {
            assert!(start.elapsed() < DEADLINE, "no agent within {DEADLINE:?}");
            std::thread::yield_now();
        }
        agent
    }

    pub(crate) fn connect(&self) -> UnixStream {
        UnixStream::connect_addr(&address(&self.socket)).unwrap()
    }

    pub(crate) fn bridge(&self) -> Bridge {
        let mut child = Command::new(BINARY)
            .args(["bridge", "--socket", &self.socket])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Bridge { child, input: Some(input), output }
    }

    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.socket.clone()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(socket: &str) -> SocketAddr {
    SocketAddr::from_abstract_name(socket).unwrap()
}

/// An exec into the container.
pub(crate) struct Bridge {
    pub(crate) child: Child,
    pub(crate) input: Option<ChildStdin>,
    pub(crate) output: ChildStdout,
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Read for Bridge {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.output.read(buffer)
    }
}

impl Write for Bridge {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.input.as_mut().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.input.as_mut().unwrap().flush()
    }
}

/// Sends what the session has to send.
pub(crate) fn send(client: &mut ClientSession, stream: &mut impl Write) {
    while let Some(frame) = client.next_frame() {
        stream.write_all(&frame).unwrap();
        stream.flush().unwrap();
    }
}

/// The session's next event; reads as long as it takes.
pub(crate) fn event(client: &mut ClientSession, stream: &mut (impl Read + Write)) -> Event {
    let mut bytes = [0; 4096];
    loop {
        send(client, stream);
        if let Some(event) = client.next_event() {
            return event;
        }
        match stream.read(&mut bytes) {
            Ok(0) => panic!("the agent ended the connection without a word"),
            Ok(count) => client.on_bytes(&bytes[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// A session that is open.
pub(crate) fn opened(name: &str, stream: &mut (impl Read + Write)) -> ClientSession {
    let mut client = ClientSession::new(name, "run");
    match event(&mut client, stream) {
        Event::Opened { identity, resumed, .. } => {
            assert_eq!((&*identity, resumed), ("prod/db", false))
        }
        other => panic!("{other:?}"),
    }
    client
}

/// The last message before the agent ends the connection.
pub(crate) fn last_words(stream: &mut impl Read) -> Message {
    let mut last = None;
    while let Some(message) = ringfence_probe::frame::read(stream).unwrap() {
        last = Some(message);
    }
    last.unwrap()
}

/// A free port, and what keeps its UDP side from answering: a socket that nobody reads.
pub(crate) fn silent_port() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}
