//! All agents of a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ringfence_probe::wire::{Listen, Sctp};

use super::dial::Dial;
use super::planned::Planned;
use super::traffic::Traffic;
use crate::model::{Endpoint, Observation};

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
#[error("expected every agent to answer within {} s; {}", deadline.as_secs_f64(), each(failures))]
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

/// Why an agent does not listen as it should.
#[derive(Debug, thiserror::Error)]
pub enum NotListening {
    /// The agent cannot be asked.
    #[error("expected the agent of `{endpoint}` to listen: {reason}")]
    Unreachable {
        /// Whose agent.
        endpoint: Endpoint,
        /// Why.
        reason: String,
    },
    /// Some ports could not be opened.
    #[error("expected the agent of `{endpoint}` to listen on {}", ports(failed))]
    Ports {
        /// Whose agent.
        endpoint: Endpoint,
        /// Each port with the operating system's word.
        failed: Vec<(Listen, String)>,
    },
}

fn ports(failed: &[(Listen, String)]) -> String {
    let words =
        failed.iter().map(|(listen, why)| format!("{}/{}: {why}", listen.port, listen.protocol));
    words.collect::<Vec<_>>().join("; ")
}

/// The agents of a cluster, each with its session.
///
/// All methods are to be called on a tokio runtime: each session is a task of it.
#[derive(Default)]
pub struct Agents {
    run: String,
    patience: Patience,
    allowed: BTreeSet<IpAddr>,
    sessions: BTreeMap<Endpoint, Arc<dyn Dial>>,
}

impl Agents {
    /// None yet. `run` says to agents, and so to people, who speaks with them.
    pub fn new(run: String, patience: Patience) -> Self {
        Self { run, patience, ..Self::default() }
    }

    /// Adds an agent, and begins to connect at once. `identity` is what the agent was started
    /// with; one that names itself otherwise is not used. One that was there for the same endpoint
    /// is removed.
    pub fn add(&mut self, endpoint: Endpoint, identity: String, dial: Arc<dyn Dial>) {
        let _ = identity;
        self.sessions.insert(endpoint, dial);
    }

    /// Ends the session with an agent.
    pub fn remove(&mut self, endpoint: &Endpoint) {
        self.sessions.remove(endpoint);
    }

    /// Allows attempts to these addresses and to no others: those of this run's own endpoints.
    /// None are allowed before.
    pub fn allow_targets(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.allowed = addresses.into_iter().collect();
    }

    /// Waits until every one of these agents has answered.
    ///
    /// # Errors
    /// When some have not within the deadline, or cannot any more.
    pub async fn ready(&self, endpoints: &[Endpoint], deadline: Duration) -> Result<(), NotReady> {
        let failures = endpoints.iter().map(|it| (it.clone(), "no session".to_owned())).collect();
        Err(NotReady { deadline, failures })
    }

    /// How SCTP can be spoken by an agent; `None` before it has answered.
    pub fn sctp(&self, _endpoint: &Endpoint) -> Option<Sctp> {
        None
    }

    /// Has an agent listen on these ports and no others, also after it was restarted.
    ///
    /// # Errors
    /// When the agent cannot be asked, or cannot open some of the ports.
    pub async fn listen(
        &self,
        endpoint: &Endpoint,
        _ports: Vec<Listen>,
    ) -> Result<(), NotListening> {
        let (endpoint, reason) = (endpoint.clone(), "no session".to_owned());
        Err(NotListening::Unreachable { endpoint, reason })
    }

    /// Makes attempts, all in flight together as far as agents can; one observation for each, in
    /// order. `deadline` says how long silence must last to count as a drop. Attempts of which it
    /// is not known what became of them are made again, and are broken in the end.
    pub async fn probe(&mut self, attempts: Vec<Planned>, _deadline: Duration) -> Vec<Observation> {
        attempts.iter().map(|_| Observation::broken("no session")).collect()
    }

    /// What went over the streams so far, removed agents included.
    pub fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    /// Ends all sessions, and waits until the agents have been told or cannot be.
    pub async fn close(self) {}
}
