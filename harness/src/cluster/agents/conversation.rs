//! What is said in the sessions with one agent: which answer belongs to which question, and what
//! becomes of questions when a session is lost. It has no input, output or clock of its own.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ringfence_probe::agent::session::{ClientSession, Event, Frame};
use ringfence_probe::frame::FrameError;
use ringfence_probe::wire::{
    Attempt, AttemptResult, Listen, Reason, Round, Sctp, Sightings, WatchOrder, Whereabouts,
};
use tokio::sync::watch;

use super::request::{Arrivals, Reply, Request, Said};
use super::traffic::Counter;

/// The addresses that may be dialled, in order.
pub(super) type Targets = Arc<[IpAddr]>;

/// How often in a row a session may be taken over from us before it counts as lost. Where an exec
/// is slow to start, our own older connection may come after the newer one and take it over.
const MOST_TAKEOVERS: u32 = 3;

/// A question whose answer has not come. Agents answer in order.
#[derive(Debug)]
enum Pending {
    Listen(Vec<Listen>, Reply<Vec<(Listen, String)>>),
    /// What was listened on before the agent was restarted.
    ListenAgain,
    Round(u32, Reply<Vec<AttemptResult>>),
    TakeArrivals(Reply<Arrivals>),
    BeginWatch(Reply<Duration>),
    EndWatch(Reply<Sightings>),
}

/// What has happened in a conversation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The session is this connection's.
    Opened(Sctp),
    /// The agent said something in it.
    Heard,
    /// The connection is over, and the next one may go on or begin anew.
    Broken(String),
    /// The session was lost, and the next connection may begin another one at once.
    Renewed(String),
    /// The agent is there and is of no use as it is: its session is to be closed, and another to
    /// be opened later.
    Useless(String),
    /// No connection will ever do.
    Over(String),
}

/// All that is said with one agent.
#[derive(Debug)]
pub(super) struct Conversation {
    run: String,
    identity: String,
    /// `None` before the first connection, and when the session was lost.
    client: Option<ClientSession>,
    epoch: u64,
    pending: VecDeque<Pending>,
    /// What was asked while there was no session.
    waiting: VecDeque<Request>,
    targets: watch::Receiver<Targets>,
    /// What the session was told of them.
    told: Option<Targets>,
    /// The ports that the agent opened when it was asked.
    listening: Option<Vec<Listen>>,
    rounds: u32,
    takeovers: u32,
    /// As the agent said last.
    whereabouts: Arc<Whereabouts>,
    counter: Arc<Counter>,
}

impl Conversation {
    /// With an agent of this identity, by a run that calls itself `run`.
    pub(super) fn new(
        run: String,
        identity: String,
        targets: watch::Receiver<Targets>,
        counter: Arc<Counter>,
    ) -> Self {
        Self {
            run,
            identity,
            client: None,
            epoch: 0,
            pending: VecDeque::new(),
            waiting: VecDeque::new(),
            targets,
            told: None,
            listening: None,
            rounds: 0,
            takeovers: 0,
            whereabouts: Arc::default(),
            counter,
        }
    }

    /// Begins to speak over a new connection.
    ///
    /// # Errors
    /// When the system gives no random bytes for a session's name.
    pub(super) fn connect(&mut self) -> anyhow::Result<()> {
        if let Some(client) = &mut self.client {
            client.resume();
            return Ok(());
        }
        let mut client = ClientSession::new(session_name()?, self.run.clone());
        if let Some(ports) = &self.listening {
            client.listen(ports.clone())?;
            self.pending.push_back(Pending::ListenAgain);
        }
        self.client = Some(client);
        for request in std::mem::take(&mut self.waiting) {
            self.ask(request);
        }
        Ok(())
    }

    /// Asks something: as soon as there is a session, and once.
    pub(super) fn ask(&mut self, request: Request) {
        if request.is_abandoned() {
            return;
        }
        let Some(client) = &mut self.client else { return self.waiting.push_back(request) };
        match request {
            Request::Listen(ports, reply) => match client.listen(ports.clone()) {
                Ok(()) => self.pending.push_back(Pending::Listen(ports, reply)),
                Err(error) => refuse(reply, &error),
            },
            Request::Round(deadline, attempts, reply) => match self.ask_round(deadline, attempts) {
                Ok(round) => self.pending.push_back(Pending::Round(round, reply)),
                Err(error) => refuse(reply, &error),
            },
            Request::TakeArrivals(reply) => match client.take_arrivals() {
                Ok(()) => self.pending.push_back(Pending::TakeArrivals(reply)),
                Err(error) => refuse(reply, &error),
            },
            Request::BeginWatch(order, reply) => match self.ask_watch(order) {
                Ok(()) => self.pending.push_back(Pending::BeginWatch(reply)),
                Err(error) => refuse(reply, &error),
            },
            // Attempts that cannot be sent are never seen, which is how nobody knows of them.
            Request::WatchAlso(attempts) => drop(self.ask_also(attempts)),
            Request::EndWatch(reply) => match client.end_watch() {
                Ok(()) => self.pending.push_back(Pending::EndWatch(reply)),
                Err(error) => refuse(reply, &error),
            },
        }
    }

    fn ask_watch(&mut self, order: WatchOrder) -> Result<(), FrameError> {
        self.tell_targets()?;
        self.client.as_mut().map_or(Ok(()), |client| client.begin_watch(order))
    }

    fn ask_also(&mut self, attempts: Vec<Attempt>) -> Result<(), FrameError> {
        self.tell_targets()?;
        self.client.as_mut().map_or(Ok(()), |client| client.watch_also(attempts))
    }

    /// Says whom the agent may dial, where that is new to the session.
    fn tell_targets(&mut self) -> Result<(), FrameError> {
        let Some(client) = &mut self.client else { return Ok(()) };
        let targets = Arc::clone(&self.targets.borrow_and_update());
        if !self.told.as_ref().is_some_and(|told| Arc::ptr_eq(told, &targets)) {
            client.allow_targets(targets.to_vec())?;
            self.told = Some(targets);
        }
        Ok(())
    }

    /// Asks for a round, and says before whom it may dial, where that is new to the session.
    fn ask_round(&mut self, deadline: Duration, attempts: Vec<Attempt>) -> Result<u32, FrameError> {
        self.tell_targets()?;
        let Some(client) = &mut self.client else { return Ok(0) };
        self.rounds += 1;
        let deadline_us = u64::try_from(deadline.as_micros()).unwrap_or(u64::MAX);
        client.round(Round { round: self.rounds, deadline_us, attempts })?;
        Ok(self.rounds)
    }

    /// The next frame to send on this connection.
    pub(super) fn next_frame(&mut self) -> Option<Frame> {
        self.client.as_mut()?.next_frame()
    }

    /// Takes bytes that came on this connection.
    pub(super) fn on_bytes(&mut self, bytes: &[u8]) {
        if let Some(client) = &mut self.client {
            client.on_bytes(bytes);
        }
    }

    /// Asks whether the agent is there.
    pub(super) fn ping(&mut self) {
        if let Some(client) = &mut self.client {
            client.ping();
        }
    }

    /// Whether the last ping was not answered on this connection.
    pub(super) fn awaits_pong(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.awaited_pong().is_some())
    }

    /// Ends the session where it is open: the agent is told by the next frame.
    pub(super) fn close(&mut self) {
        if let Some(client) = &mut self.client {
            client.close();
        }
    }

    /// What has happened next, if anything.
    pub(super) fn turn(&mut self) -> Option<Turn> {
        Some(match self.client.as_mut()?.next_event()? {
            Event::Opened { identity, sctp, whereabouts, .. } if identity == self.identity => {
                self.find(whereabouts);
                Turn::Opened(sctp)
            }
            Event::Opened { identity, .. } => Turn::Over(format!(
                "expected the agent of `{}`, found the one of `{identity}`: their sockets have \
                 the same name",
                self.identity
            )),
            Event::Ended { reason, message, .. } => self.ended(reason, message),
            Event::Pong { .. } => {
                self.takeovers = 0;
                Turn::Heard
            }
            answer => self.answered(answer),
        })
    }

    fn ended(&mut self, reason: Reason, message: String) -> Turn {
        match reason {
            Reason::Version | Reason::Stranger => Turn::Over(message),
            Reason::TakenOver if self.takeovers < MOST_TAKEOVERS => {
                self.takeovers += 1;
                Turn::Broken(message)
            }
            Reason::Busy | Reason::Silent => Turn::Broken(message),
            Reason::UnknownSession => {
                self.lose(&message);
                Turn::Renewed(message)
            }
            Reason::TakenOver | Reason::Protocol => {
                self.lose(&message);
                Turn::Broken(message)
            }
        }
    }

    /// How many sessions were lost.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Where the agent was when it last said so.
    pub(super) fn whereabouts(&self) -> &Arc<Whereabouts> {
        &self.whereabouts
    }

    fn find(&mut self, whereabouts: Whereabouts) {
        if *self.whereabouts != whereabouts {
            self.whereabouts = Arc::new(whereabouts);
        }
    }

    fn answered(&mut self, answer: Event) -> Turn {
        match (self.pending.pop_front(), answer) {
            (Some(Pending::Listen(ports, reply)), Event::Listening { failed }) => {
                if failed.is_empty() {
                    self.listening = Some(ports);
                }
                self.tell(reply, failed);
            }
            (Some(Pending::ListenAgain), Event::Listening { failed }) if failed.is_empty() => {}
            (Some(Pending::ListenAgain), Event::Listening { failed }) => {
                let ports = super::listening::ports(&failed);
                return Turn::Useless(format!(
                    "expected the agent to listen again after it was restarted: {ports}"
                ));
            }
            (
                Some(Pending::Round(number, reply)),
                Event::Results { round, results, whereabouts },
            ) if number == round => {
                self.counter.attempts(results.len());
                self.find(whereabouts);
                self.tell(reply, results);
            }
            (
                Some(Pending::TakeArrivals(reply)),
                Event::Arrivals { arrivals, lost, half_open, half_open_unseen, whereabouts },
            ) => {
                self.find(whereabouts);
                let arrivals = Arrivals { arrivals, lost, half_open, half_open_unseen };
                self.tell(reply, arrivals);
            }
            (Some(Pending::BeginWatch(reply)), Event::Watching { at_us, whereabouts }) => {
                self.find(whereabouts);
                self.tell(reply, Duration::from_micros(at_us));
            }
            (Some(Pending::EndWatch(reply)), Event::Watched { sightings, whereabouts }) => {
                let seen = sightings.seen.iter().flat_map(|(_, stretches)| stretches);
                self.counter.attempts(seen.map(|stretch| stretch.turns as usize).sum());
                self.find(whereabouts);
                self.tell(reply, sightings);
            }
            (_, answer) => {
                let found = match answer {
                    Event::Watching { .. } | Event::Watched { .. } => "what is watched",
                    Event::Results { .. } => "results",
                    Event::Arrivals { .. } => "arrivals",
                    _ => "ports",
                };
                return Turn::Useless(format!(
                    "expected answers in the order of the requests, found {found}"
                ));
            }
        }
        self.takeovers = 0;
        Turn::Heard
    }

    /// Answers; whoever does not wait any more need not be told.
    fn tell<T>(&self, reply: Reply<T>, what: T) {
        let whereabouts = Arc::clone(&self.whereabouts);
        drop(reply.send(Ok(Said { epoch: self.epoch, whereabouts, what })));
    }

    /// Gives the session up: whoever waits for an answer is told why none will come.
    pub(super) fn lose(&mut self, reason: &str) {
        self.client = None;
        self.told = None;
        self.takeovers = 0;
        self.epoch += 1;
        for pending in std::mem::take(&mut self.pending) {
            // Whoever does not wait any more need not be told.
            match pending {
                Pending::Listen(_, reply) => drop(reply.send(Err(reason.to_owned()))),
                Pending::ListenAgain => {}
                Pending::Round(_, reply) => drop(reply.send(Err(reason.to_owned()))),
                Pending::TakeArrivals(reply) => drop(reply.send(Err(reason.to_owned()))),
                Pending::BeginWatch(reply) => drop(reply.send(Err(reason.to_owned()))),
                Pending::EndWatch(reply) => drop(reply.send(Err(reason.to_owned()))),
            }
        }
    }
}

/// A request that cannot be sent.
fn refuse<T>(reply: Reply<T>, error: &FrameError) {
    drop(reply.send(Err(error.to_string())));
}

/// A name that nobody can guess.
fn session_name() -> anyhow::Result<String> {
    let bytes = getrandom::u64().and_then(|high| Ok((high, getrandom::u64()?)));
    let (high, low) = bytes.context("expected random bytes for a session's name")?;
    Ok(format!("{high:016x}{low:016x}"))
}
