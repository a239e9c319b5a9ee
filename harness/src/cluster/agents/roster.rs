//! All agents of a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use ringfence_probe::agent::session::LONGEST_DEADLINE;
use ringfence_probe::wire::{Listen, Sctp, Whereabouts};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::conversation::{Conversation, Targets};
use super::course::Course;
use super::dial::Dial;
use super::listening::NotListening;
use super::place::astray;
use super::planned::Planned;
use super::round::Window;
use super::session::{Session, Unanswered};
use super::traffic::{Counter, Traffic};
use super::vigil::Vigil;
use super::window::windows;
use crate::model::{Endpoint, Observation};

/// Streams that are opened at once: hundreds of execs in one moment are more than an API server
/// likes.
const MOST_DIALS: usize = 32;

/// How often an attempt is made whose results are lost with a session.
const MOST_TRIES: u32 = 3;

/// How long agents are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a stream to be opened, and for the agent to say that the session is ours.
    pub connect: Duration,
    /// For an answer, beyond the time that the work itself takes; connecting again included.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), answer: Duration::from_secs(30) }
    }
}

/// Agents that did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("expected every agent to answer within {} ms; {}", deadline.as_millis(), each(failures))]
pub struct NotReady {
    /// How long they were waited for.
    pub deadline: Duration,
    /// Which did not answer, and what went wrong last with each.
    pub failures: BTreeMap<Endpoint, String>,
}

fn each(failures: &BTreeMap<Endpoint, String>) -> String {
    let words = failures.iter().map(|(endpoint, failure)| format!("`{endpoint}`: {failure}"));
    words.collect::<Vec<_>>().join("; ")
}

/// The agents of a cluster, each with its session.
///
/// It belongs on a tokio runtime: each session is a task of it, which ends when this is dropped.
pub struct Agents {
    run: String,
    pub(super) patience: Patience,
    pub(super) targets: Arc<watch::Sender<Targets>>,
    pub(super) sessions: BTreeMap<Endpoint, Session>,
    /// The addresses that agents must have for their answers to count.
    pub(super) places: BTreeMap<Endpoint, Vec<IpAddr>>,
    /// What is watched: agents that come have a share in it.
    pub(super) vigil: Option<Vigil>,
    dials: Arc<Semaphore>,
    counter: Arc<Counter>,
}

impl fmt::Debug for Agents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agents").field("run", &self.run).field("sessions", &self.sessions).finish()
    }
}

impl Agents {
    /// None yet. `run` says to agents, and so to people, who speaks with them.
    pub fn new(run: String, patience: Patience) -> Self {
        Self {
            run,
            patience,
            targets: Arc::new(watch::Sender::new(Arc::from([]))),
            sessions: BTreeMap::new(),
            places: BTreeMap::new(),
            vigil: None,
            dials: Arc::new(Semaphore::new(MOST_DIALS)),
            counter: Arc::default(),
        }
    }

    /// Adds an agent, and begins to connect at once. `identity` is what the agent was started
    /// with; one that names itself otherwise is not used. One that was there for the same endpoint
    /// is removed.
    pub fn add(&mut self, endpoint: Endpoint, identity: String, dial: Arc<dyn Dial>) {
        let conversation = Conversation::new(
            self.run.clone(),
            identity.clone(),
            self.targets.subscribe(),
            Arc::clone(&self.counter),
        );
        let session = Session::start(
            conversation,
            dial,
            Arc::clone(&self.dials),
            Backoff::new(identity),
            self.patience.connect,
            Arc::clone(&self.counter),
        );
        if let Some(vigil) = &self.vigil {
            vigil.ask(&endpoint, session.requests());
        }
        self.places.remove(&endpoint);
        self.sessions.insert(endpoint, session);
    }

    /// Ends the session with an agent, without waiting for it.
    pub fn remove(&mut self, endpoint: &Endpoint) {
        self.sessions.remove(endpoint);
        self.places.remove(endpoint);
    }

    /// Says which addresses an agent has. From now on attempts of and at one that does not say
    /// so itself, before and after, are broken: silence at an address that a pod has lost is no
    /// deny, and what a pod does from another address is not what was asked about.
    pub fn place(&mut self, endpoint: &Endpoint, addresses: Vec<IpAddr>) {
        self.places.insert(endpoint.clone(), addresses);
    }

    /// Where an agent was when it last said so; nowhere before it has answered.
    pub fn whereabouts(&self, endpoint: &Endpoint) -> Arc<Whereabouts> {
        self.sessions.get(endpoint).map(|session| session.state().whereabouts).unwrap_or_default()
    }

    /// Waits until an agent says that it is somewhere else.
    pub async fn moved(&self, endpoint: &Endpoint, from: &Whereabouts) {
        match self.sessions.get(endpoint) {
            Some(session) => session.moved(from).await,
            None => std::future::pending().await,
        }
    }

    /// Why an agent is not where [`Agents::place`] said, as far as it has told; `None` where it
    /// is.
    pub fn astray(&self, endpoint: &Endpoint) -> Option<String> {
        let why = astray(self.places.get(endpoint)?, &self.whereabouts(endpoint))?;
        Some(format!("expected the agent of `{endpoint}` {why}"))
    }

    /// How many sessions with an agent were lost so far: it was restarted at most so often.
    pub fn lost(&self, endpoint: &Endpoint) -> u64 {
        self.sessions.get(endpoint).map(|session| session.state().epoch).unwrap_or_default()
    }

    /// Allows attempts to these addresses and to no others: those of this run's own endpoints.
    /// None are allowed before. Agents are told before their next round.
    pub fn allow_targets(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        let wanted: BTreeSet<IpAddr> = addresses.into_iter().collect();
        self.targets.send_if_modified(|targets| {
            let new = !targets.iter().eq(&wanted);
            if new {
                *targets = wanted.into_iter().collect();
            }
            new
        });
    }

    /// Waits until every one of these agents has answered.
    ///
    /// # Errors
    /// When some have not within the deadline, or never will.
    pub async fn ready(&self, endpoints: &[Endpoint], deadline: Duration) -> Result<(), NotReady> {
        let until = Instant::now() + deadline;
        let opened = endpoints.iter().map(async |endpoint| {
            let opened = match self.sessions.get(endpoint) {
                Some(session) => session.opened(until).await,
                None => Err("no such agent was added".to_owned()),
            };
            Some((endpoint.clone(), opened.err()?))
        });
        let failures: BTreeMap<_, _> = join_all(opened).await.into_iter().flatten().collect();
        if failures.is_empty() { Ok(()) } else { Err(NotReady { deadline, failures }) }
    }

    /// How SCTP can be spoken by an agent; `None` before it has answered.
    pub fn sctp(&self, endpoint: &Endpoint) -> Option<Sctp> {
        self.sessions.get(endpoint)?.state().sctp
    }

    /// Has an agent listen on these ports and no others, also after it was restarted.
    ///
    /// # Errors
    /// When the agent cannot be asked, or cannot open some of the ports.
    pub async fn listen(
        &self,
        endpoint: &Endpoint,
        ports: Vec<Listen>,
    ) -> Result<(), NotListening> {
        let mut reason = "no such agent was added".to_owned();
        if let Some(session) = self.sessions.get(endpoint) {
            for _ in 0..MOST_TRIES {
                match session.listen(ports.clone(), self.patience.answer).await {
                    Ok(said) if said.what.is_empty() => return Ok(()),
                    Ok(said) => {
                        let (endpoint, failed) = (endpoint.clone(), said.what);
                        return Err(NotListening::Ports { endpoint, failed });
                    }
                    Err(Unanswered::Lost(lost)) => reason = lost,
                    Err(Unanswered::Late(last) | Unanswered::Over(last)) => {
                        reason = last;
                        break;
                    }
                }
            }
        }
        Err(NotListening::Unreachable { endpoint: endpoint.clone(), reason })
    }

    /// Makes attempts, all in flight together as far as agents can; one observation for each, in
    /// order. `deadline` says how long silence must last to count as a drop; an agent takes none
    /// beyond [`LONGEST_DEADLINE`]. Attempts of which it is not known what became of them are made
    /// again, and are broken in the end.
    pub async fn probe(&mut self, planned: Vec<Planned>, deadline: Duration) -> Vec<Observation> {
        if deadline > LONGEST_DEADLINE {
            let broken = Observation::broken(format!(
                "expected a deadline of at most {} s, found {} s; it was not dialled",
                LONGEST_DEADLINE.as_secs(),
                deadline.as_secs()
            ));
            return vec![broken; planned.len()];
        }
        let mut courses = vec![Course::Planned; planned.len()];
        let mut left: Vec<usize> = (0..planned.len()).collect();
        for _ in 0..MOST_TRIES {
            for numbers in windows(&planned, left) {
                let window = Window {
                    sessions: &self.sessions,
                    places: &self.places,
                    planned: &planned,
                    numbers: &numbers,
                    deadline,
                    patience: self.patience.answer,
                };
                for (number, course) in numbers.iter().zip(window.run().await) {
                    courses[*number] = course;
                }
            }
            let unknown = courses.iter().enumerate();
            left = unknown
                .filter(|(_, course)| matches!(course, Course::Unknown(_)))
                .map(|(number, _)| number)
                .collect();
            if left.is_empty() {
                break;
            }
        }
        courses.into_iter().map(observation).collect()
    }

    /// What went over the streams so far, removed agents included.
    pub fn traffic(&self) -> Traffic {
        self.counter.traffic()
    }

    /// Ends all sessions, and waits until the agents have been told or cannot be.
    pub async fn close(self) {
        join_all(self.sessions.into_values().map(Session::close)).await;
    }
}

fn observation(course: Course) -> Observation {
    match course {
        Course::Settled(observation) => observation,
        Course::Made(result) => Observation::from(result),
        Course::Unknown(reason) => {
            Observation::broken(format!("tried {MOST_TRIES} times; at last: {reason}"))
        }
        Course::Planned => Observation::broken("it was not attempted"),
    }
}
