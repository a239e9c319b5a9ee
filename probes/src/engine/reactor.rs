//! The servers' thread: accepts, reads, answers.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex};

use nix::libc;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use socket2::Socket;

use crate::exchange::{self, Answer};
use crate::wire::{Arrival, Listen};
use crate::{Family, Protocol};

use super::arrivals::{Arrivals, lock};
use super::listener::{Failure, Listener, ListenerKind};
use super::packet::{receive, reply};
use super::sctp::{self, Chunk, Header};

/// The event descriptor's key; sockets have their index.
const WAKE: u64 = u64::MAX;

/// Connections or datagrams taken from one socket before the others have their turn.
const TURN: usize = 32;

/// Connections that were accepted and have asked nothing yet. The oldest make room: their
/// client is gone, or a policy cut them off.
const MOST_UNASKED: usize = 4096;

/// How long a listener rests when descriptors ran out, in milliseconds.
const REST: u16 = 5;

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Command {
    Open(Vec<Listener>, SyncSender<Vec<Failure>>),
    Close(String, SyncSender<()>),
    /// Serve all that has reached the sockets by now.
    CatchUp(SyncSender<()>),
    Stop,
}

/// Something that epoll watches.
#[derive(Debug)]
enum Endpoint {
    Listener {
        listener: Listener,
        resting: bool,
    },
    /// All SCTP of a network namespace; whose port it is.
    RawSctp {
        namespace: u64,
        family: Family,
        socket: Socket,
        ports: HashMap<u16, Arc<str>>,
    },
    Connection(Connection),
}

/// An accepted connection of which the request is not complete.
#[derive(Debug)]
struct Connection {
    identity: Arc<str>,
    listen: Listen,
    from: SocketAddr,
    socket: Socket,
    request: Vec<u8>,
    /// How many were accepted before it.
    order: u64,
    /// Whether it was asked something and is to stay.
    lasts: bool,
}

/// Whether a connection is done with.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Done,
    Waiting,
}

#[derive(Debug)]
pub(super) struct Reactor {
    inbox: Receiver<Command>,
    wake: Arc<EventFd>,
    epoll: Epoll,
    endpoints: Vec<Option<Endpoint>>,
    free: Vec<usize>,
    /// The connections among the endpoints, by the order of their acceptance.
    unasked: BTreeMap<u64, usize>,
    accepted: u64,
    resting: Vec<usize>,
    arrived: Vec<(Arc<str>, Arrival)>,
    arrivals: Arc<Mutex<Arrivals>>,
    answer: Vec<u8>,
}

impl Reactor {
    pub(super) fn new(
        inbox: Receiver<Command>,
        wake: Arc<EventFd>,
        arrivals: Arc<Mutex<Arrivals>>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&*wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        Ok(Self {
            inbox,
            wake,
            epoll,
            endpoints: Vec::new(),
            free: Vec::new(),
            unasked: BTreeMap::new(),
            accepted: 0,
            resting: Vec::new(),
            arrived: Vec::new(),
            arrivals,
            answer: Vec::with_capacity(exchange::MAX_ANSWER),
        })
    }

    /// Serves until told to stop, or until the handle is gone.
    pub(super) fn run(mut self) {
        let mut events = vec![EpollEvent::empty(); 512];
        loop {
            let wait =
                if self.resting.is_empty() { EpollTimeout::NONE } else { EpollTimeout::from(REST) };
            let woken = self.serve(&mut events, wait) > 0
                && events.iter().any(|event| event.data() == WAKE);
            self.wake_listeners();
            if woken && !self.obey(&mut events) {
                return;
            }
        }
    }

    /// One wait and what it brings; the number of events.
    fn serve(&mut self, events: &mut [EpollEvent], wait: EpollTimeout) -> usize {
        events.fill(EpollEvent::empty());
        let count = self.epoll.wait(events, wait).unwrap_or(0);
        for event in &events[..count] {
            if let Ok(index) = usize::try_from(event.data())
                && event.data() != WAKE
            {
                self.turn(index);
            }
        }
        if !self.arrived.is_empty() {
            lock(&self.arrivals).append(&mut self.arrived);
        }
        count
    }

    /// Carries out what the handle asked for; `false` to stop.
    fn obey(&mut self, events: &mut [EpollEvent]) -> bool {
        let _ = self.wake.read();
        while let Ok(command) = self.inbox.try_recv() {
            // Whoever asked may be gone by the time of the answer.
            match command {
                Command::Open(listeners, done) => {
                    let failures = listeners.into_iter().filter_map(|new| self.open(new)).collect();
                    let _ = done.send(failures);
                }
                Command::Close(identity, done) => {
                    self.close(&identity);
                    let _ = done.send(());
                }
                Command::CatchUp(done) => {
                    // Busy clients must not hold up the answer for ever.
                    for _ in 0..1024 {
                        if self.serve(events, EpollTimeout::ZERO) == 0 {
                            break;
                        }
                    }
                    let _ = done.send(());
                }
                Command::Stop => return false,
            }
        }
        true
    }

    fn open(&mut self, new: Listener) -> Option<Failure> {
        let listen = new.listen;
        let endpoint = match new.kind {
            ListenerKind::RawSctp { namespace } => {
                if let Some(ports) = self.raw_ports(namespace, new.family) {
                    ports.insert(listen.port, new.identity);
                    return None;
                }
                Endpoint::RawSctp {
                    namespace,
                    family: new.family,
                    socket: new.socket,
                    ports: HashMap::from([(listen.port, new.identity)]),
                }
            }
            _ => Endpoint::Listener { listener: new, resting: false },
        };
        match self.insert(endpoint, EpollFlags::EPOLLIN) {
            Ok(_) => None,
            Err(error) => Some((listen, format!("epoll: {error}"))),
        }
    }

    fn raw_ports(&mut self, wanted: u64, of: Family) -> Option<&mut HashMap<u16, Arc<str>>> {
        self.endpoints.iter_mut().flatten().find_map(|endpoint| match endpoint {
            Endpoint::RawSctp { namespace, family, ports, .. }
                if *namespace == wanted && *family == of =>
            {
                Some(ports)
            }
            _ => None,
        })
    }

    fn insert(&mut self, endpoint: Endpoint, wanted: EpollFlags) -> io::Result<usize> {
        let index = self.free.pop().unwrap_or_else(|| {
            self.endpoints.push(None);
            self.endpoints.len() - 1
        });
        let socket = endpoint.socket();
        if let Err(error) = self.epoll.add(socket, EpollEvent::new(wanted, index as u64)) {
            self.free.push(index);
            return Err(error.into());
        }
        self.endpoints[index] = Some(endpoint);
        Ok(index)
    }

    fn remove(&mut self, index: usize) {
        if let Some(endpoint) = self.endpoints[index].take() {
            self.forget(index, endpoint);
        }
    }

    /// Drops an endpoint, which closes its socket, and frees its place.
    fn forget(&mut self, index: usize, endpoint: Endpoint) {
        if let Endpoint::Connection(connection) = &endpoint {
            self.unasked.remove(&connection.order);
        }
        drop(endpoint);
        self.free.push(index);
    }

    fn close(&mut self, closing: &str) {
        for index in 0..self.endpoints.len() {
            let gone = match &mut self.endpoints[index] {
                Some(Endpoint::Listener { listener, .. }) => *listener.identity == *closing,
                Some(Endpoint::Connection(connection)) => *connection.identity == *closing,
                Some(Endpoint::RawSctp { ports, .. }) => {
                    ports.retain(|_, identity| **identity != *closing);
                    ports.is_empty()
                }
                None => false,
            };
            if gone {
                self.remove(index);
            }
        }
        self.resting.retain(|&index| self.endpoints[index].is_some());
    }

    /// Serves one endpoint for a turn.
    fn turn(&mut self, index: usize) {
        let Some(mut endpoint) = self.endpoints.get_mut(index).and_then(Option::take) else {
            return;
        };
        let keep = match &mut endpoint {
            Endpoint::Listener { listener, resting } => {
                match listener.kind {
                    ListenerKind::Datagram => self.answer_datagrams(listener),
                    _ => *resting = !self.accept(listener),
                }
                true
            }
            Endpoint::RawSctp { family, socket, ports, .. } => {
                self.answer_sctp(socket, *family, ports);
                true
            }
            Endpoint::Connection(connection) => self.converse(connection) == Progress::Waiting,
        };
        if let Endpoint::Listener { listener, resting: true } = &endpoint {
            // Level-triggered, a listener without descriptors would keep the thread spinning.
            if self.epoll.delete(&listener.socket).is_ok() {
                self.resting.push(index);
            }
        }
        if keep {
            self.endpoints[index] = Some(endpoint);
        } else {
            self.forget(index, endpoint);
        }
    }

    fn wake_listeners(&mut self) {
        for index in std::mem::take(&mut self.resting) {
            if let Some(Some(endpoint)) = self.endpoints.get(index) {
                let event = EpollEvent::new(EpollFlags::EPOLLIN, index as u64);
                if self.epoll.add(endpoint.socket(), event).is_err() {
                    self.resting.push(index);
                }
            }
        }
    }

    /// Accepts connections; `false` when descriptors ran out.
    fn accept(&mut self, listener: &Listener) -> bool {
        for _ in 0..TURN {
            let (socket, from) = match listener
                .socket
                .accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
            {
                Ok(accepted) => accepted,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                        return self.forget_oldest_unasked();
                    }
                    // Connections that broke before they were accepted are no fault of the
                    // listener (accept(2)).
                    Some(libc::ECONNABORTED | libc::EPROTO | libc::EINTR | libc::EPERM) => continue,
                    _ => return true,
                },
            };
            let Some(from) = from.as_socket() else { continue };
            let (identity, listen) = (Arc::clone(&listener.identity), listener.listen);
            let (request, order) = (Vec::new(), self.accepted);
            self.accepted += 1;
            let mut connection =
                Connection { identity, listen, from, socket, request, order, lasts: false };
            // The request is usually there already: it left right after the handshake.
            if self.converse(&mut connection) == Progress::Waiting {
                let wanted = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
                let lasts = connection.lasts;
                if let Ok(index) = self.insert(Endpoint::Connection(connection), wanted)
                    && !lasts
                {
                    self.unasked.insert(order, index);
                }
                if self.unasked.len() > MOST_UNASKED {
                    self.forget_oldest_unasked();
                }
            }
        }
        true
    }

    /// Makes room; whether there was something to forget.
    fn forget_oldest_unasked(&mut self) -> bool {
        let Some((_, index)) = self.unasked.pop_first() else { return false };
        self.remove(index);
        true
    }

    /// Reads a request and answers it. Unless others are to follow, the server closes first and
    /// with nothing left unread, which sends a FIN and no reset.
    fn converse(&mut self, connection: &mut Connection) -> Progress {
        let mut buffer = [0; 64];
        loop {
            match (&connection.socket).read(&mut buffer) {
                Ok(0) => return Progress::Done,
                Ok(length) => connection.request.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Progress::Waiting;
                }
                Err(_) => return Progress::Done,
            }
            while let Ok(Some(nonce)) = exchange::parse_request(&connection.request)
                && exchange::lasts(&connection.request)
            {
                let Connection { identity, listen, from, socket, request, order, lasts } =
                    connection;
                self.arrived(identity, *listen, nonce, *from);
                let _ = socket.send_with_flags(&self.answer, libc::MSG_NOSIGNAL);
                request.drain(..exchange::REQUEST_LENGTH);
                *lasts = true;
                self.unasked.remove(order);
            }
            match exchange::parse_request(&connection.request) {
                Ok(None) => {}
                Ok(Some(nonce)) => {
                    let Connection { identity, listen, from, socket, .. } = connection;
                    self.arrived(identity, *listen, nonce, *from);
                    // An answer fits an empty send buffer; one that fails is a lost reply. There
                    // is more to come: the FIN, which closing adds to the same packet.
                    let _ =
                        socket.send_with_flags(&self.answer, libc::MSG_NOSIGNAL | libc::MSG_MORE);
                    return Progress::Done;
                }
                Err(_) => return Progress::Done,
            }
        }
    }

    /// Remembers an arrival, and prepares the answer to it.
    fn arrived(&mut self, identity: &Arc<str>, listen: Listen, nonce: u64, from: SocketAddr) {
        let Listen { protocol, port } = listen;
        self.arrived.push((Arc::clone(identity), Arrival { nonce, protocol, port, from }));
        self.answer.clear();
        Answer { nonce, seen: from, identity }.write(&mut self.answer);
    }

    fn answer_datagrams(&mut self, listener: &Listener) {
        let mut buffer = [0; 512];
        for _ in 0..TURN {
            let Some(packet) = receive(&listener.socket, &mut buffer) else { return };
            if let Ok(Some(nonce)) = exchange::parse_request(&buffer[..packet.length]) {
                self.arrived(&listener.identity, listener.listen, nonce, packet.from);
                reply(&listener.socket, &self.answer, &packet);
            }
        }
    }

    fn answer_sctp(&mut self, socket: &Socket, family: Family, ports: &HashMap<u16, Arc<str>>) {
        let mut buffer = [0; 1024];
        for _ in 0..TURN {
            let Some(packet) = receive(socket, &mut buffer) else { return };
            let received = &buffer[..packet.length];
            let received = match family {
                Family::Ipv4 => sctp::behind_ipv4_header(received),
                Family::Ipv6 => Some(received),
            };
            let Some((header, Chunk::Init { initiate_tag, request })) =
                received.and_then(sctp::parse)
            else {
                continue;
            };
            let nonce = exchange::parse_request(request).ok().flatten();
            let answer = match (ports.get(&header.target), nonce) {
                (Some(identity), Some(nonce)) => {
                    self.accept_init(identity, header, initiate_tag, nonce, packet.from)
                }
                _ => sctp::abort(header, initiate_tag),
            };
            reply(socket, &answer, &packet);
        }
    }

    fn accept_init(
        &mut self,
        identity: &Arc<str>,
        header: Header,
        initiate_tag: u32,
        nonce: u64,
        from: SocketAddr,
    ) -> Vec<u8> {
        let listen = Listen { protocol: Protocol::Sctp, port: header.target };
        let from = SocketAddr::new(from.ip(), header.source);
        self.arrived(identity, listen, nonce, from);
        let own_tag = sctp::initiate_tag(!nonce, header.target);
        sctp::init_ack(header, initiate_tag, own_tag, &self.answer)
    }
}

impl Endpoint {
    const fn socket(&self) -> &Socket {
        match self {
            Self::Listener { listener, .. } => &listener.socket,
            Self::RawSctp { socket, .. } => socket,
            Self::Connection(connection) => &connection.socket,
        }
    }
}
