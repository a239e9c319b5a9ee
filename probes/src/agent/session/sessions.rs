//! The agent's half: connections, and the one session that they may speak for.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::frame::{Decoder, encode};
use crate::wire::{
    Attempt, Listen, Message, Reason, Round, Sctp, VERSION, WatchOrder, Whereabouts,
};

use super::ledger::{Frame, Ledger};
use super::{GREETING, KEPT, LONGEST_SESSION, MOST_ATTEMPTS, MOST_KEPT, MOST_REQUESTS, SILENCE};

/// What an agent is to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::agent) enum Work {
    /// A session begins: nothing may be dialled, and nothing has arrived.
    Begin,
    /// See [`Message::AllowTargets`]; no answer.
    AllowTargets(Vec<IpAddr>),
    /// See [`Message::Listen`].
    Listen(Vec<Listen>),
    /// See [`Message::Round`].
    Round(Round),
    /// See [`Message::TakeArrivals`].
    TakeArrivals,
    /// See [`Message::BeginWatch`].
    BeginWatch(WatchOrder),
    /// See [`Message::WatchAlso`]; no answer.
    WatchAlso(Vec<Attempt>),
    /// See [`Message::EndWatch`].
    EndWatch,
}

/// What a connection is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::agent) enum Next {
    /// Send this.
    Frame(Frame),
    /// Wait.
    Wait,
    /// End.
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No `hello` yet.
    Greeting,
    /// No session named yet.
    Greeted,
    /// It speaks for the session.
    Attached,
    /// It ends when its last frames have gone.
    Ending,
}

#[derive(Debug)]
struct Connection {
    stage: Stage,
    decoder: Decoder,
    control: VecDeque<Frame>,
    begun: Instant,
    heard: Instant,
}

impl Connection {
    /// Queues a frame of the connection; these are short.
    fn tell(&mut self, message: &Message) {
        self.control.extend(encode(message).ok().map(Frame::from));
    }

    /// When it has been silent for too long.
    fn patience_ends(&self) -> Option<Instant> {
        match self.stage {
            Stage::Greeting | Stage::Greeted => Some(self.begun + GREETING),
            Stage::Attached => Some(self.heard + SILENCE),
            Stage::Ending => None,
        }
    }
}

/// The session that an agent keeps.
#[derive(Debug)]
struct Session {
    name: String,
    /// How many sessions the agent had before it.
    number: u64,
    ledger: Ledger,
    connection: Option<u64>,
    /// The newest connection that ever spoke for it.
    newest: u64,
    heard: Instant,
    work: VecDeque<Work>,
    /// Attempts in rounds that are not answered.
    attempts: usize,
}

/// All connections to an agent, and its session.
#[derive(Debug)]
pub(in crate::agent) struct Sessions {
    identity: String,
    sctp: Sctp,
    /// As the newest connection found it.
    whereabouts: Whereabouts,
    connections: BTreeMap<u64, Connection>,
    next_connection: u64,
    session: Option<Session>,
    begun: u64,
}

fn taken_over() -> String {
    "the session goes on over a newer connection".to_owned()
}

impl Sessions {
    /// None of either.
    pub(in crate::agent) fn new(identity: impl Into<String>, sctp: Sctp) -> Self {
        Self {
            identity: identity.into(),
            sctp,
            whereabouts: Whereabouts::default(),
            connections: BTreeMap::new(),
            next_connection: 0,
            session: None,
            begun: 0,
        }
    }

    /// A connection came; its number. `whereabouts` is where the agent is now.
    pub(in crate::agent) fn connect(&mut self, now: Instant, whereabouts: Whereabouts) -> u64 {
        self.whereabouts = whereabouts;
        let mut connection = Connection {
            stage: Stage::Greeting,
            decoder: Decoder::new(),
            control: VecDeque::new(),
            begun: now,
            heard: now,
        };
        let identity = self.identity.clone();
        connection.tell(&Message::Hello { version: VERSION, identity, sctp: self.sctp });
        let number = self.next_connection;
        self.next_connection += 1;
        self.connections.insert(number, connection);
        number
    }

    /// How many connections there are.
    pub(in crate::agent) fn connections(&self) -> usize {
        self.connections.len()
    }

    /// A connection broke or was ended. Its session is kept.
    pub(in crate::agent) fn disconnect(&mut self, number: u64) {
        self.connections.remove(&number);
        if let Some(session) = &mut self.session
            && session.connection == Some(number)
        {
            session.connection = None;
        }
    }

    /// Bytes came on a connection.
    pub(in crate::agent) fn on_bytes(&mut self, number: u64, bytes: &[u8], now: Instant) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.heard = now;
        connection.decoder.push(bytes);
        if let Some(session) = self.session.as_mut().filter(|it| it.connection == Some(number)) {
            session.heard = now;
        }
        while let Some(connection) = self.connections.get_mut(&number)
            && connection.stage != Stage::Ending
        {
            match connection.decoder.next() {
                Ok(Some(message)) => self.on_message(number, message, now),
                Ok(None) => break,
                Err(error) => {
                    let cause = std::error::Error::source(&error);
                    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                    self.end(number, Reason::Protocol, format!("{error}{cause}"));
                }
            }
        }
    }

    fn on_message(&mut self, number: u64, message: Message, now: Instant) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        match (connection.stage, message) {
            (Stage::Greeting, Message::Hello { version: VERSION, .. }) => {
                connection.stage = Stage::Greeted;
            }
            (Stage::Greeting, Message::Hello { version, identity, .. }) => {
                self.end(number, Reason::Version, other_version(version, &identity));
            }
            (Stage::Greeted, Message::Open { session }) => self.open(number, session, now),
            (Stage::Greeted, Message::Resume { session, received }) => {
                if self.session.as_ref().is_some_and(|kept| kept.name == session) {
                    self.attach(number, received, now);
                } else {
                    let message = "expected a session that this agent keeps, found another: it was \
                                   restarted, or silence lasted too long; what was under way is \
                                   lost; open a new session";
                    self.end(number, Reason::UnknownSession, message.to_owned());
                }
            }
            (Stage::Attached, message) => self.on_request(number, message),
            (stage, message) => {
                let expected = match stage {
                    Stage::Greeting => "`hello`",
                    _ => "`open` or `resume`",
                };
                let message = format!("expected {expected}, found `{}`", kind(&message));
                self.end(number, Reason::Protocol, message);
            }
        }
    }

    fn open(&mut self, number: u64, name: String, now: Instant) {
        match &self.session {
            // Its `opened` was lost: nothing has been received on it.
            Some(session) if session.name == name => self.attach(number, 0, now),
            Some(session) => {
                let silent = now.duration_since(session.heard);
                let state = match session.connection {
                    Some(_) => "is connected".to_owned(),
                    None => format!(
                        "was last heard {} s ago and is kept for {} s more",
                        silent.as_secs(),
                        KEPT.saturating_sub(silent).as_secs()
                    ),
                };
                let message = format!(
                    "expected the session that holds `{}`, found another; that session {state}; \
                     close it, or wait",
                    self.identity
                );
                self.end(number, Reason::Busy, message);
            }
            None if name.is_empty() || name.len() > LONGEST_SESSION => {
                let message = format!(
                    "expected an identifier of 1 to {LONGEST_SESSION} bytes, found {}",
                    name.len()
                );
                self.end(number, Reason::Protocol, message);
            }
            None => {
                self.begun += 1;
                self.session = Some(Session {
                    name,
                    number: self.begun,
                    ledger: Ledger::default(),
                    connection: None,
                    newest: number,
                    heard: now,
                    work: VecDeque::from([Work::Begin]),
                    attempts: 0,
                });
                self.attach(number, 0, now);
            }
        }
    }

    /// Gives the session to a connection that named it, of which the other side has received
    /// this much.
    fn attach(&mut self, number: u64, received: u64, now: Instant) {
        let Some(session) = &mut self.session else { return };
        // Connections are numbered as they come, and may be heard in another order: what an
        // older one still says must not take the session back.
        if number < session.newest {
            return self.end(number, Reason::TakenOver, taken_over());
        }
        session.newest = number;
        if let Err(error) = session.ledger.resume(received) {
            session.connection = Some(number);
            return self.end(number, Reason::Protocol, error.to_string());
        }
        session.heard = now;
        let received = session.ledger.received();
        let older = session.connection.replace(number);
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.stage = Stage::Attached;
            let whereabouts = self.whereabouts.clone();
            connection.tell(&Message::Opened { received, whereabouts });
        }
        if let Some(older) = older {
            self.end(older, Reason::TakenOver, taken_over());
        }
    }

    fn on_request(&mut self, number: u64, message: Message) {
        let (Some(connection), Some(session)) =
            (self.connections.get_mut(&number), &mut self.session)
        else {
            return;
        };
        let work = match message {
            Message::Ping { number } => return connection.tell(&Message::Pong { number }),
            Message::Acknowledge { received } => {
                if let Err(error) = session.ledger.acknowledge(received) {
                    self.end(number, Reason::Protocol, error.to_string());
                }
                return;
            }
            Message::Close => {
                connection.stage = Stage::Ending;
                self.session = None;
                return;
            }
            Message::AllowTargets { addresses } => Work::AllowTargets(addresses),
            Message::Listen { ports } => Work::Listen(ports),
            Message::Round(round) => Work::Round(round),
            Message::TakeArrivals => Work::TakeArrivals,
            Message::BeginWatch(order) => Work::BeginWatch(order),
            Message::WatchAlso { attempts } => Work::WatchAlso(attempts),
            Message::EndWatch => Work::EndWatch,
            other => {
                let message = format!("expected a request, found `{}`", kind(&other));
                return self.end(number, Reason::Protocol, message);
            }
        };
        let attempts = session.attempts + attempts_of(&work);
        if attempts > MOST_ATTEMPTS || session.work.len() >= MOST_REQUESTS {
            let message = format!(
                "expected at most {MOST_REQUESTS} requests with {MOST_ATTEMPTS} attempts to wait, \
                 found {} with {attempts}; make smaller rounds, one after the other",
                session.work.len() + 1,
            );
            return self.end(number, Reason::Protocol, message);
        }
        session.attempts = attempts;
        session.ledger.count();
        session.work.push_back(work);
    }

    /// Ends a connection with words. Its session stays, unless the two sides do not understand
    /// each other: kept, it would be resumed only to meet the same again.
    pub(in crate::agent) fn end(&mut self, number: u64, reason: Reason, message: String) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.stage = Stage::Ending;
        connection.tell(&Message::Error { reason, message });
        if let Some(session) = &mut self.session
            && session.connection == Some(number)
        {
            session.connection = None;
            if reason == Reason::Protocol {
                self.session = None;
            }
        }
    }

    /// What a connection is to do next.
    pub(in crate::agent) fn next(&mut self, number: u64) -> Next {
        let Some(connection) = self.connections.get_mut(&number) else { return Next::Close };
        if let Some(frame) = connection.control.pop_front() {
            return Next::Frame(frame);
        }
        match (connection.stage, &mut self.session) {
            (Stage::Ending, _) | (Stage::Attached, None) => Next::Close,
            (Stage::Attached, Some(session)) => {
                session.ledger.next().map_or(Next::Wait, Next::Frame)
            }
            _ => Next::Wait,
        }
    }

    /// The next thing to do, and the number of the session that asks for it. Nothing while too
    /// many answers wait for the run.
    pub(in crate::agent) fn next_work(&mut self) -> Option<(u64, Work)> {
        let session = self.session.as_mut()?;
        if session.ledger.bytes() >= MOST_KEPT {
            return None;
        }
        Some((session.number, session.work.pop_front()?))
    }

    /// The work is done that a session asked for. The answer to one that is over is dropped.
    pub(in crate::agent) fn finish(&mut self, session: u64, attempts: usize, answer: &Message) {
        let Some(session) = self.session.as_mut().filter(|kept| kept.number == session) else {
            return;
        };
        session.attempts = session.attempts.saturating_sub(attempts);
        if let Err(error) = session.ledger.push(answer)
            && let Some(connection) = session.connection
        {
            self.end(connection, Reason::Protocol, format!("the answer to a request: {error}"));
        }
    }

    /// Ends what has been silent for too long.
    pub(in crate::agent) fn expire(&mut self, now: Instant) {
        let silent = |(number, connection): (&u64, &Connection)| {
            let ends = connection.patience_ends()?;
            (ends <= now).then_some((*number, now.duration_since(connection.heard)))
        };
        let silent: Vec<(u64, Duration)> = self.connections.iter().filter_map(silent).collect();
        for (number, silence) in silent {
            let message = format!(
                "expected a session within {} s, and a heartbeat within {} s, found silence for \
                 {} s; resume the session",
                GREETING.as_secs(),
                SILENCE.as_secs(),
                silence.as_secs()
            );
            self.end(number, Reason::Silent, message);
        }
        let over = |session: &Session| session.connection.is_none() && session.heard + KEPT <= now;
        if self.session.as_ref().is_some_and(over) {
            self.session = None;
        }
    }

    /// When [`expire`](Self::expire) has something to do at the earliest.
    pub(in crate::agent) fn expires(&self) -> Option<Instant> {
        let connections = self.connections.values().filter_map(Connection::patience_ends);
        let kept = self.session.as_ref().filter(|session| session.connection.is_none());
        connections.chain(kept.map(|session| session.heard + KEPT)).min()
    }
}

/// How many attempts a piece of work has.
pub(in crate::agent) fn attempts_of(work: &Work) -> usize {
    match work {
        Work::Round(round) => round.attempts.len(),
        Work::BeginWatch(order) => order.held.len() + order.tried.len(),
        _ => 0,
    }
}

/// What either side says about another version.
pub(super) fn other_version(found: u32, identity: &str) -> String {
    format!(
        "expected version {VERSION} of the protocol, found version {found} from `{identity}`; use a \
         run and an agent of the same release"
    )
}

/// A message's kind as frames spell it.
pub(super) fn kind(message: &Message) -> String {
    let value = serde_json::to_value(message).ok();
    let kind = value.as_ref().and_then(|value| value.get("kind")?.as_str());
    kind.unwrap_or("nothing").to_owned()
}
