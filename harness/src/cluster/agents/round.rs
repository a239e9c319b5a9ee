//! A window of attempts: all sources dial together, and destinations say what arrived.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use ringfence_probe::wire::{Attempt, AttemptResult};

use super::course::{Course, Heard, hear};
use super::place::astray;
use super::planned::Planned;
use super::request::{Arrivals, Said};
use super::session::{Session, Unanswered};
use crate::model::{Endpoint, Observation};

/// The last nonce that was given. All agents of a process share it: a packet that strays to
/// another cluster's pod is then nobody else's attempt.
pub(super) static NONCE: AtomicU64 = AtomicU64::new(0);

/// What more an agent is given for each attempt of a round, beyond the deadline: launching takes
/// time, and a busy machine more of it.
const EACH: Duration = Duration::from_millis(2);

/// Attempts by an endpoint of theirs, each by its position in the window.
type Groups<'a> = BTreeMap<&'a Endpoint, Vec<usize>>;

/// An agent's answer.
type Answer<T> = Result<Said<T>, Unanswered>;

/// Attempts that are made together.
pub(super) struct Window<'a> {
    pub(super) sessions: &'a BTreeMap<Endpoint, Session>,
    /// The addresses that agents must have.
    pub(super) places: &'a BTreeMap<Endpoint, Vec<IpAddr>>,
    /// All that is planned.
    pub(super) planned: &'a [Planned],
    /// Those of this window, by their numbers in it.
    pub(super) numbers: &'a [usize],
    /// How long silence must last to count as a drop.
    pub(super) deadline: Duration,
    /// How long agents have for an answer, beyond the work itself.
    pub(super) patience: Duration,
}

impl<'a> Window<'a> {
    /// Makes the attempts; how far each got, in order.
    pub(super) async fn run(&self) -> Vec<Course> {
        let mut courses = vec![Course::Planned; self.numbers.len()];
        // What arrived late, after its round was over, belongs to no attempt of this one. An agent
        // that was restarted listens again when it answers.
        let destinations = self.group(&courses, Course::is_planned, |it| &it.destination);
        let mut epochs = BTreeMap::new();
        for (destination, answer) in self.take_arrivals(&destinations).await {
            match self.trust(destination, answer) {
                Ok(said) => drop(epochs.insert(destination, said.epoch)),
                Err(course) => give_up(&mut courses, &destinations[destination], &course),
            }
        }

        let first = NONCE.fetch_add(self.numbers.len() as u64, Ordering::Relaxed) + 1;
        let sources = self.group(&courses, Course::is_planned, |it| &it.source);
        for (source, answer) in self.dial(&sources, first).await {
            match self.trust(source, answer) {
                Ok(said) => place(&mut courses, &sources[source], source, said.what),
                Err(course) => give_up(&mut courses, &sources[source], &course),
            }
        }

        // Whoever was stopped may have got there. And whatever became of an attempt, it tells of
        // a destination only if that is still the agent, and where, it was before.
        let made = self.group(&courses, Course::is_made, |it| &it.destination);
        let mut told = BTreeMap::new();
        for (destination, answer) in self.take_arrivals(&made).await {
            match self.trust(destination, answer) {
                Ok(said) if epochs.get(destination) == Some(&said.epoch) => {
                    told.insert(destination, said.what);
                }
                Ok(_) => {
                    let course = unanswered(destination, restarted());
                    give_up(&mut courses, &made[destination], &course);
                }
                Err(course) => give_up(&mut courses, &made[destination], &course),
            }
        }
        let heard: Heard<'_> = told
            .iter()
            .flat_map(|(destination, told)| {
                told.arrivals.iter().map(|arrival| (arrival.nonce, *destination))
            })
            .collect();
        let stopped = self.group(&courses, Course::is_stopped, |it| &it.destination);
        for (destination, positions) in stopped {
            let Some(told) = told.get(destination) else { continue };
            let (attempts, results) = positions
                .iter()
                .filter_map(|at| match &courses[*at] {
                    Course::Made(result) => Some((self.attempt(*at, first), result.clone())),
                    _ => None,
                })
                .unzip();
            for (at, course) in hear(destination, attempts, results, told, &heard) {
                courses[at as usize] = course;
            }
        }
        courses
    }

    /// Those attempts that are so far, by one of their endpoints.
    fn group(
        &self,
        courses: &[Course],
        is: impl Fn(&Course) -> bool,
        endpoint: impl Fn(&'a Planned) -> &'a Endpoint,
    ) -> Groups<'a> {
        let mut groups = Groups::new();
        for (at, number) in self.numbers.iter().enumerate() {
            if is(&courses[at]) {
                groups.entry(endpoint(&self.planned[*number])).or_default().push(at);
            }
        }
        groups
    }

    /// An agent's answer, unless there is none or the agent is not where it should be: what then
    /// becomes of its attempts.
    fn trust<T>(&self, endpoint: &Endpoint, answer: Answer<T>) -> Result<Said<T>, Box<Course>> {
        let said = answer.map_err(|reason| Box::new(unanswered(endpoint, reason)))?;
        let wanted = self.places.get(endpoint).map(Vec::as_slice).unwrap_or_default();
        match astray(wanted, &said.whereabouts) {
            None => Ok(said),
            Some(why) => {
                let words = format!("expected the agent of `{endpoint}` {why}");
                Err(Box::new(Course::Settled(Observation::broken(words))))
            }
        }
    }

    /// Asks all of them what arrived.
    async fn take_arrivals(&self, groups: &Groups<'a>) -> Vec<(&'a Endpoint, Answer<Arrivals>)> {
        let answers = groups.keys().map(async |endpoint| {
            let answer = match self.sessions.get(endpoint) {
                Some(session) => session.take_arrivals(self.patience).await,
                None => Err(no_agent()),
            };
            (*endpoint, answer)
        });
        join_all(answers).await
    }

    /// Has all of them make their attempts.
    async fn dial(
        &self,
        groups: &Groups<'a>,
        first: u64,
    ) -> Vec<(&'a Endpoint, Answer<Vec<AttemptResult>>)> {
        let answers = groups.iter().map(async |(endpoint, positions)| {
            let answer = match self.sessions.get(endpoint) {
                Some(session) => {
                    let attempts: Vec<Attempt> =
                        positions.iter().map(|at| self.attempt(*at, first)).collect();
                    let count = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
                    // Silence on the first socket leads to a second.
                    let limit = self.deadline * 2 + EACH * count + self.patience;
                    session.round(self.deadline, attempts, limit).await
                }
                None => Err(no_agent()),
            };
            (*endpoint, answer)
        });
        join_all(answers).await
    }

    /// The attempt at this position, where the first has this nonce.
    fn attempt(&self, at: usize, first: u64) -> Attempt {
        let planned = &self.planned[self.numbers[at]];
        Attempt {
            id: at as u32,
            nonce: first + at as u64,
            from: 0,
            protocol: planned.protocol,
            target: planned.target,
            expect: planned.expect.clone(),
        }
    }
}

fn no_agent() -> Unanswered {
    Unanswered::Over("there is none".to_owned())
}

fn restarted() -> Unanswered {
    Unanswered::Lost("it was restarted meanwhile".to_owned())
}

/// What becomes of attempts whose agent did not answer.
fn unanswered(endpoint: &Endpoint, unanswered: Unanswered) -> Course {
    let words = |reason| format!("no answer from the agent of `{endpoint}`: {reason}");
    match unanswered {
        Unanswered::Lost(reason) => Course::Unknown(words(reason)),
        Unanswered::Late(reason) | Unanswered::Over(reason) => {
            Course::Settled(Observation::broken(words(reason)))
        }
    }
}

/// Says of attempts what became of all of them.
fn give_up(courses: &mut [Course], positions: &[usize], course: &Course) {
    for at in positions {
        courses[*at] = course.clone();
    }
}

/// Takes a source's results; nothing is settled by them yet.
fn place(
    courses: &mut [Course],
    positions: &[usize],
    source: &Endpoint,
    results: Vec<AttemptResult>,
) {
    let forgotten = || {
        let words = format!("the agent of `{source}` did not tell what became of it");
        Course::Settled(Observation::broken(words))
    };
    let mut results = results.into_iter().peekable();
    for at in positions {
        // Both are in order.
        let result = results.next_if(|result| result.id as usize == *at);
        courses[*at] = match result {
            Some(result) => Course::Made(result),
            None => forgotten(),
        };
    }
}
