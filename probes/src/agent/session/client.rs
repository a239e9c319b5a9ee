//! The run's half of a session.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

use crate::HalfOpen;
use crate::frame::{Decoder, FrameError, encode};
use crate::wire::{
    Arrival, Attempt, AttemptResult, Listen, Message, Reason, Round, Sctp, Sightings, VERSION,
    WatchOrder, Whereabouts,
};

use super::ledger::{Frame, Ledger};

/// What a session tells the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The agent answered, and the session is this connection's.
    Opened {
        /// Who the agent says it is: the pod's `namespace/name`.
        identity: String,
        /// How SCTP can be spoken there.
        sctp: Sctp,
        /// Whether the session goes on, rather than begins.
        resumed: bool,
        /// Where the agent is.
        whereabouts: Whereabouts,
    },
    /// The answer to [`ClientSession::listen`]: the ports that could not be opened, and why.
    Listening {
        /// Each with the operating system's word.
        failed: Vec<(Listen, String)>,
    },
    /// The answer to [`ClientSession::round`].
    Results {
        /// The round's number.
        round: u32,
        /// One for each attempt, in order of `id`.
        results: Vec<AttemptResult>,
        /// Where the agent was when the last of them ended.
        whereabouts: Whereabouts,
    },
    /// The answer to [`ClientSession::take_arrivals`]; see [`Message::Arrivals`].
    Arrivals {
        /// In the order in which they arrived.
        arrivals: Vec<Arrival>,
        /// How many more were forgotten for want of room.
        lost: u64,
        /// TCP handshakes that the listeners have answered and not seen completed.
        half_open: Vec<HalfOpen>,
        /// Why half-open handshakes could not be seen, where they could not.
        half_open_unseen: Option<String>,
        /// Where the agent was afterwards.
        whereabouts: Whereabouts,
    },
    /// The answer to [`ClientSession::begin_watch`].
    Watching {
        /// How long it has been watched, in microseconds.
        at_us: u64,
        /// Where the agent was then.
        whereabouts: Whereabouts,
    },
    /// The answer to [`ClientSession::end_watch`].
    Watched {
        /// What was seen.
        sightings: Sightings,
        /// Where the agent was afterwards.
        whereabouts: Whereabouts,
    },
    /// The answer to [`ClientSession::ping`].
    Pong {
        /// The ping's number.
        number: u64,
    },
    /// The connection has ended, and the session with it unless the reason
    /// [leaves it](Reason::leaves_session) to be resumed.
    Ended {
        /// Why.
        reason: Reason,
        /// Why, in words.
        message: String,
        /// The rounds of which the results will never come: it is not known what became of
        /// them. None where the session can be resumed.
        unknown: Vec<u32>,
    },
}

/// How far the connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// The agent has said nothing yet.
    Greeting,
    /// It has said who it is, and not yet whether the session is ours.
    Greeted { identity: String, sctp: Sctp },
    /// Numbered messages flow.
    Open,
    /// Nothing more comes of this connection.
    Ended,
}

/// The run's half of a session: takes bytes, gives frames and [`Event`]s.
///
/// Start one for the first connection; send what [`next_frame`](Self::next_frame) gives, hand over
/// what comes to [`on_bytes`](Self::on_bytes), and take [`next_event`](Self::next_event) after
/// each. When the connection breaks, make another and call [`resume`](Self::resume): requests that
/// the agent did not get and answers that did not come are sent again by themselves.
#[derive(Debug)]
pub struct ClientSession {
    session: String,
    identity: String,
    stage: Stage,
    /// Whether the agent ever said that the session is ours.
    opened: bool,
    decoder: Decoder,
    /// Frames that belong to the connection, not to the session.
    control: VecDeque<Frame>,
    ledger: Ledger,
    events: VecDeque<Event>,
    /// Rounds of which there are no results yet.
    rounds: BTreeSet<u32>,
    pings: u64,
    awaited: Option<u64>,
}

impl ClientSession {
    /// A session that begins, with its first connection. The identifier must be one that nobody
    /// can guess, of at most [`LONGEST_SESSION`](super::LONGEST_SESSION) bytes; `identity` says
    /// who the run is, for people.
    pub fn new(session: impl Into<String>, identity: impl Into<String>) -> Self {
        let mut client = Self {
            session: session.into(),
            identity: identity.into(),
            stage: Stage::Greeting,
            opened: false,
            decoder: Decoder::new(),
            control: VecDeque::new(),
            ledger: Ledger::default(),
            events: VecDeque::new(),
            rounds: BTreeSet::new(),
            pings: 0,
            awaited: None,
        };
        client.resume();
        client
    }

    /// Another connection takes the place of the one before. Part of a frame that came on the old
    /// one is forgotten.
    pub fn resume(&mut self) {
        self.stage = Stage::Greeting;
        self.decoder = Decoder::new();
        self.awaited = None;
        self.control.clear();
        let identity = self.identity.clone();
        // A run has no use for SCTP itself.
        self.tell(&Message::Hello { version: VERSION, identity, sctp: Sctp::None });
        let session = self.session.clone();
        if self.opened {
            self.tell(&Message::Resume { session, received: self.ledger.received() });
        } else {
            self.tell(&Message::Open { session });
        }
    }

    /// Allows attempts to these targets from now on, and to no others. An agent dials nothing
    /// before. There is no answer; whatever is asked later comes later.
    ///
    /// # Errors
    /// [`FrameError::TooLong`], like every other request.
    pub fn allow_targets(&mut self, addresses: Vec<IpAddr>) -> Result<(), FrameError> {
        self.ledger.push(&Message::AllowTargets { addresses })
    }

    /// Asks the agent to listen on these ports and no others.
    ///
    /// # Errors
    /// [`FrameError::TooLong`].
    pub fn listen(&mut self, ports: Vec<Listen>) -> Result<(), FrameError> {
        self.ledger.push(&Message::Listen { ports })
    }

    /// Asks for a round. Its number must be one that no other round of the session has; what the
    /// agent accepts is bounded by [`MOST_ATTEMPTS`](super::MOST_ATTEMPTS) and
    /// [`LONGEST_DEADLINE`](super::LONGEST_DEADLINE).
    ///
    /// # Errors
    /// [`FrameError::TooLong`].
    pub fn round(&mut self, round: Round) -> Result<(), FrameError> {
        let number = round.round;
        self.ledger.push(&Message::Round(round))?;
        self.rounds.insert(number);
        Ok(())
    }

    /// Asks what arrived since the last time.
    ///
    /// # Errors
    /// None in practice; it shares its type with the other requests.
    pub fn take_arrivals(&mut self) -> Result<(), FrameError> {
        self.ledger.push(&Message::TakeArrivals)
    }

    /// Has the agent watch connections until [`end_watch`](Self::end_watch).
    ///
    /// # Errors
    /// [`FrameError::TooLong`].
    pub fn begin_watch(&mut self, order: WatchOrder) -> Result<(), FrameError> {
        self.ledger.push(&Message::BeginWatch(order))
    }

    /// Adds attempts to what the agent watches. There is no answer.
    ///
    /// # Errors
    /// [`FrameError::TooLong`].
    pub fn watch_also(&mut self, attempts: Vec<Attempt>) -> Result<(), FrameError> {
        self.ledger.push(&Message::WatchAlso { attempts })
    }

    /// Has the agent leave off watching, and tell what it saw.
    ///
    /// # Errors
    /// None in practice; it shares its type with the other requests.
    pub fn end_watch(&mut self) -> Result<(), FrameError> {
        self.ledger.push(&Message::EndWatch)
    }

    /// Asks whether the agent is there; every [`HEARTBEAT`](super::HEARTBEAT). Returns the number
    /// that the pong will carry. Does nothing before the session is open.
    pub fn ping(&mut self) -> Option<u64> {
        if self.stage != Stage::Open {
            return None;
        }
        self.pings += 1;
        self.awaited = Some(self.pings);
        self.tell(&Message::Ping { number: self.pings });
        self.awaited
    }

    /// The number of the last ping, if its pong has not come on this connection.
    pub fn awaited_pong(&self) -> Option<u64> {
        self.awaited
    }

    /// Ends the session: the agent forgets it, and ends the connection. Rounds without results
    /// are abandoned.
    pub fn close(&mut self) {
        if self.stage == Stage::Open {
            self.tell(&Message::Close);
            self.stage = Stage::Ended;
            self.rounds.clear();
        }
    }

    /// The rounds that were asked for and of which there are no results yet.
    pub fn open_rounds(&self) -> impl Iterator<Item = u32> + '_ {
        self.rounds.iter().copied()
    }

    /// Whether numbered messages flow on this connection.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// The next frame to send on this connection, if there is one by now.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let control = self.control.pop_front();
        control.or_else(|| if self.stage == Stage::Open { self.ledger.next() } else { None })
    }

    /// The next thing that the session has to tell.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes bytes that came on this connection, however they were cut. What they bring is found
    /// by [`next_event`](Self::next_event); what they ask for, by [`next_frame`](Self::next_frame).
    pub fn on_bytes(&mut self, bytes: &[u8]) {
        self.decoder.push(bytes);
        while self.stage != Stage::Ended {
            match self.decoder.next() {
                Ok(Some(message)) => self.on_message(message),
                Ok(None) => break,
                Err(error) => {
                    let cause = std::error::Error::source(&error);
                    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                    self.end(Reason::Protocol, format!("{error}{cause}"));
                }
            }
        }
    }

    fn on_message(&mut self, message: Message) {
        if let Message::Error { reason, message } = message {
            return self.end(reason, message);
        }
        match (std::mem::replace(&mut self.stage, Stage::Ended), message) {
            (Stage::Greeting, Message::Hello { version, identity, sctp }) => {
                if version == VERSION {
                    self.stage = Stage::Greeted { identity, sctp };
                } else {
                    let message = super::sessions::other_version(version, &identity);
                    self.end(Reason::Version, message);
                }
            }
            (Stage::Greeted { identity, sctp }, Message::Opened { received, whereabouts }) => {
                match self.ledger.resume(received) {
                    Ok(()) => {
                        let resumed = std::mem::replace(&mut self.opened, true);
                        self.stage = Stage::Open;
                        self.events.push_back(Event::Opened {
                            identity,
                            sctp,
                            resumed,
                            whereabouts,
                        });
                    }
                    Err(error) => self.end(Reason::Protocol, error.to_string()),
                }
            }
            (Stage::Open, message) => {
                self.stage = Stage::Open;
                self.on_answer(message);
            }
            (stage, message) => {
                let expected = if stage == Stage::Greeting { "hello" } else { "opened" };
                let found = super::sessions::kind(&message);
                self.end(Reason::Protocol, format!("expected `{expected}`, found `{found}`"));
            }
        }
    }

    fn on_answer(&mut self, message: Message) {
        let event = match message {
            Message::Acknowledge { received } => {
                if let Err(error) = self.ledger.acknowledge(received) {
                    self.end(Reason::Protocol, error.to_string());
                }
                return;
            }
            Message::Pong { number } => {
                if self.awaited == Some(number) {
                    self.awaited = None;
                }
                self.events.push_back(Event::Pong { number });
                return;
            }
            Message::Listening { failed } => Event::Listening { failed },
            Message::Results { round, results, whereabouts } => {
                self.rounds.remove(&round);
                Event::Results { round, results, whereabouts }
            }
            Message::Arrivals { arrivals, lost, half_open, half_open_unseen, whereabouts } => {
                Event::Arrivals { arrivals, lost, half_open, half_open_unseen, whereabouts }
            }
            Message::Watching { at_us, whereabouts } => Event::Watching { at_us, whereabouts },
            Message::Watched { sightings, whereabouts } => {
                Event::Watched { sightings, whereabouts }
            }
            other => {
                let found = super::sessions::kind(&other);
                return self.end(Reason::Protocol, format!("expected an answer, found `{found}`"));
            }
        };
        self.ledger.count();
        self.events.push_back(event);
    }

    fn end(&mut self, reason: Reason, message: String) {
        self.stage = Stage::Ended;
        self.control.clear();
        let unknown = if reason.leaves_session() {
            Vec::new()
        } else {
            std::mem::take(&mut self.rounds).into_iter().collect()
        };
        self.events.push_back(Event::Ended { reason, message, unknown });
    }

    /// Queues a frame of the connection; these are short, bar an identity beyond reason.
    fn tell(&mut self, message: &Message) {
        match encode(message) {
            Ok(frame) => self.control.push_back(frame.into()),
            Err(error) => self.end(Reason::Protocol, error.to_string()),
        }
    }
}
