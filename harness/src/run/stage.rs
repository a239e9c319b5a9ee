//! A deployed cluster with its sentinel and witness: changes, rounds, and waiting by rounds.

mod control;
mod unenforced;
mod watch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem::take;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use crate::cluster::{Cluster, ClusterError, Round};
use crate::model::{Cell, Change, ClusterPolicyName, Matrix, Name, Observation, Topology};

use super::enforcement::Enforcement;
use super::sentinel::Sentinel;
use super::settings::{ENFORCEMENT_MARGIN, FLIP_MARGIN, MEASURED_ROUNDS};
use super::settle::{Goal, Settling, agrees};
use super::spared::spared;
use super::witness::Witness;
use super::{Event, EventSink, Purpose, Settings};

/// A cluster on which one scenario plays.
pub(super) struct Stage<'a> {
    cluster: &'a mut dyn Cluster,
    settings: &'a Settings,
    sink: &'a EventSink,
    enforcement: &'a Enforcement,
    sentinel: Sentinel,
    sentinel_cells: BTreeSet<Cell>,
    witness: Witness,
    witness_cells: BTreeSet<Cell>,
    /// Whether the cluster is said to enforce policies; where not, it is a negative control.
    enforces: bool,
    /// The nodes on which the sentinel did not flip in some step. From then on it
    /// proves nothing any more: its next flip would undo what was never done.
    blind: BTreeSet<Name>,
    rounds: u32,
    /// The slowest answer of an allowed attempt in each of the last rounds
    /// that had one, from which silence is measured.
    slowest_answers: VecDeque<Duration>,
    /// The slowest enforcement, of the sentinel's or a step's policies.
    slowest_enforcement: Duration,
    /// The policies that were last given without the run's own pods.
    spared: Vec<ClusterPolicyName>,
}

/// A round that was made.
struct Attempt {
    number: u32,
    deadline: Duration,
    started: Instant,
    /// The sentinel's cells, and the witness's.
    sentinel: Matrix<Observation>,
    /// All others.
    seen: Vec<(Cell, Observation)>,
}

/// How a step's rounds ended.
pub(super) struct Settled {
    /// The rounds.
    pub(super) settling: Settling,
    /// The nodes that did not show that they looked, within the deadline of this
    /// step or of one before it.
    pub(super) blind: Vec<Name>,
    /// The nodes on which the witness did not connect in the last round before
    /// the step's deadline, where the step had not settled by then.
    pub(super) silent: Vec<Name>,
    /// The nodes that enforced the sentinel's policy on a negative control.
    pub(super) enforced: Vec<Name>,
    /// From the changes' acceptance until every node had shown that it looked.
    pub(super) looked: Option<Duration>,
    /// How long it was given at most.
    pub(super) limit: Duration,
    /// Whether no node was ever seen to enforce anything on this cluster, and a whole
    /// deadline has passed.
    pub(super) in_doubt: bool,
    /// Why the rounds broke off.
    pub(super) lost: Option<ClusterError>,
}

impl Settled {
    /// The rounds broke off.
    fn lost(settling: Settling, error: ClusterError) -> Self {
        Self {
            settling,
            blind: Vec::new(),
            silent: Vec::new(),
            enforced: Vec::new(),
            looked: None,
            limit: Duration::ZERO,
            in_doubt: false,
            lost: Some(error),
        }
    }
}

impl<'a> Stage<'a> {
    /// Takes a cluster on which the sentinel and the witness were just deployed.
    pub(super) fn set(
        cluster: &'a mut dyn Cluster,
        settings: &'a Settings,
        sink: &'a EventSink,
        enforcement: &'a Enforcement,
        sentinel: Sentinel,
        witness: Witness,
        topology: &Topology,
    ) -> Result<Self, ClusterError> {
        let enforces = cluster.capabilities().dataplane.enforces;
        let stage = Self {
            cluster,
            enforces,
            settings,
            sink,
            enforcement,
            sentinel_cells: sentinel.cells(topology).into_iter().collect(),
            sentinel,
            witness_cells: witness.cells(topology).into_iter().collect(),
            witness,
            blind: BTreeSet::new(),
            rounds: 0,
            slowest_answers: VecDeque::new(),
            slowest_enforcement: Duration::ZERO,
            spared: Vec::new(),
        };
        let watched: BTreeSet<&Name> =
            stage.sentinel_cells.iter().filter_map(|cell| stage.sentinel.node_of(cell)).collect();
        if watched.is_empty() || watched.len() < stage.sentinel.nodes().len() {
            return Err(ClusterError::Other(anyhow::anyhow!(
                "expected a sentinel with addresses on each of {} nodes, found {}",
                stage.sentinel.nodes().len(),
                watched.len()
            )));
        }
        Ok(stage)
    }

    /// The scenario's namespaces whose names in the cluster differ.
    pub(super) fn names(&self) -> BTreeMap<Name, Name> {
        let mut names = self.cluster.names();
        names.retain(|name, _| !self.sentinel.is_its(name) && !self.witness.is_its(name));
        names
    }

    /// What of the last changes was made other than it was written.
    pub(super) fn rewritten(&mut self) -> Vec<String> {
        let spared = take(&mut self.spared).into_iter().map(|policy| {
            format!("the subject of `{policy}` leaves out the namespaces of the run's own pods")
        });
        spared.chain(self.cluster.rewritten()).collect()
    }

    /// The changes as they are made: policies of the cluster leave out the run's own pods.
    fn spare(&mut self, changes: &[Change]) -> Vec<Change> {
        let own = [self.sentinel.namespace(), self.witness.namespace()];
        let change = |change: &Change| match change {
            Change::ApplyClusterPolicy(policy) => match spared(policy, &own) {
                Some(spared) => {
                    self.spared.push(policy.name.clone());
                    Change::ApplyClusterPolicy(spared)
                }
                None => change.clone(),
            },
            _ => change.clone(),
        };
        changes.iter().map(change).collect()
    }

    /// Makes changes and flips the sentinel after them, unless it is blind. On a negative
    /// control it flips once, and its policy stays.
    pub(super) async fn change(&mut self, changes: &[Change]) -> Result<Topology, ClusterError> {
        let mut changes = self.spare(changes);
        if self.blind.is_empty() && (self.enforces || !self.sentinel.denied) {
            changes.push(self.sentinel.flip());
        }
        let topology = self.give(&changes).await?;
        Ok(self.witness.strip(self.sentinel.strip(topology)))
    }

    /// Makes changes that lift every policy, the sentinel's with them.
    pub(super) async fn lift(&mut self, mut changes: Vec<Change>) -> Result<(), ClusterError> {
        if self.sentinel.denied {
            changes.push(self.sentinel.flip());
        }
        self.give(&changes).await.map(drop)
    }

    async fn give(&mut self, changes: &[Change]) -> Result<Topology, ClusterError> {
        let deadline = self.settings.call_deadline;
        match timeout(deadline, self.cluster.change(changes)).await {
            Ok(topology) => topology,
            Err(_) => Err(ClusterError::Deadline {
                what: format!("{} changes to be accepted", changes.len()),
                deadline,
            }),
        }
    }

    /// Makes a round of its own number; what it is for is recorded apart.
    async fn attempt(
        &mut self,
        cells: Vec<Cell>,
        deadline: Duration,
    ) -> Result<Attempt, ClusterError> {
        let round = Round { cells, deadline };
        // Attempts go in windows that respect the limit of open files.
        let windows = u32::try_from(round.cells.len() / 1000).unwrap_or(u32::MAX);
        let limit = self.settings.call_deadline + deadline.saturating_mul(windows + 1);
        let started = Instant::now();
        let seen = timeout(limit, self.cluster.probe(&round)).await.map_err(|_| {
            ClusterError::Deadline {
                what: format!("a round of {} attempts to end", round.cells.len()),
                deadline: limit,
            }
        })??;
        if seen.len() != round.cells.len() {
            return Err(ClusterError::Lost(format!(
                "expected {} observations of a round, found {}",
                round.cells.len(),
                seen.len()
            )));
        }
        self.rounds += 1;
        let answers = seen.iter().filter(|seen| seen.outcome.is_connected());
        if let Some(slowest) = answers.map(Observation::answer_time).max() {
            self.slowest_answers.truncate(MEASURED_ROUNDS - 1);
            self.slowest_answers.push_front(slowest);
        }
        let (sentinel, seen): (Vec<_>, Vec<_>) =
            round.cells.into_iter().zip(seen).partition(|(cell, _)| self.is_own(cell));
        let sentinel = sentinel.into();
        Ok(Attempt { number: self.rounds, deadline, started, sentinel, seen })
    }

    /// Whether a cell is the run's own: the sentinel's or the witness's.
    fn is_own(&self, cell: &Cell) -> bool {
        self.sentinel_cells.contains(cell) || self.witness_cells.contains(cell)
    }

    /// The run's own cells.
    fn own(&self) -> BTreeSet<Cell> {
        self.sentinel_cells.union(&self.witness_cells).cloned().collect()
    }

    /// How long silence must last, from what was just measured.
    fn silence(&self) -> Duration {
        self.settings.silence.deadline(self.slowest_answers.iter().max().copied())
    }

    /// Records a round: the sentinel's cells and the witness's on a line of their own.
    fn record(&self, step: Option<usize>, purpose: Purpose, attempt: Attempt) {
        let Attempt { number, deadline, sentinel, seen, .. } = attempt;
        for (purpose, observations) in
            [(Purpose::Sentinel, sentinel), (purpose, Matrix::from(seen))]
        {
            if !observations.is_empty() {
                self.sink.emit(Event::Round { step, purpose, number, deadline, observations });
            }
        }
    }

    /// Makes rounds until a step has settled, or its deadline passes.
    ///
    /// The sentinel's cells and the step's own go into the same rounds until
    /// every node has flipped; that round and later ones show something, and those
    /// count that begin when the slowest enforcement seen has passed since the changes
    /// were accepted, and [`FLIP_MARGIN`] since the flip. Where the
    /// sentinel is blind they go on until the deadline, and none counts. The
    /// witness's cells are in every round; one in which they did not all connect
    /// shows no flip to deny, and is repeated.
    pub(super) async fn settle(
        &mut self,
        step: usize,
        mut settling: Settling,
        accepted: Instant,
    ) -> Settled {
        if !self.enforces {
            return self.settle_unenforced(step, settling, accepted).await;
        }
        let mut limit = self.enforcement.deadline(self.settings);
        let mut blind: BTreeSet<Name> = self.sentinel.nodes().iter().cloned().collect();
        let mut looked = None;
        let mut idle = 0;
        let silent = loop {
            let mut cells: Vec<Cell> = settling.cells().cloned().collect();
            cells.extend(self.witness_cells.iter().cloned());
            if !blind.is_empty() {
                cells.extend(self.sentinel_cells.iter().cloned());
            }
            let attempt = match self.attempt(cells, self.silence()).await {
                Ok(attempt) => attempt,
                Err(error) => return Settled::lost(settling, error),
            };
            let started = attempt.started - accepted;
            let silent = self.silent(&attempt.sentinel);
            if !blind.is_empty() && self.blind.is_empty() {
                blind = self.not_flipped(&attempt.sentinel);
                if self.sentinel.denied {
                    blind.extend(silent.iter().cloned());
                    if blind.len() < self.sentinel.nodes().len() {
                        self.enforcement.saw();
                    }
                }
                if blind.is_empty() {
                    let flipped = started + self.slowest_flip(&attempt.sentinel);
                    self.slowest_enforcement = self.slowest_enforcement.max(flipped);
                    let slowest = self.slowest_enforcement;
                    let margin = slowest.min(attempt.deadline.mul_f64(FLIP_MARGIN));
                    let from = slowest.max(flipped + margin).max(accepted.elapsed());
                    settling.show_from(started);
                    settling.count_from(from, flipped + slowest * ENFORCEMENT_MARGIN);
                    looked = Some(flipped);
                }
            }
            settling.take(started, silent.is_empty(), &attempt.seen);
            self.record(Some(step), Purpose::Settle, attempt);
            let now = accepted.elapsed();
            // A node that was seen to enforce something gives all of them their time.
            limit = limit.max(self.enforcement.deadline(self.settings));
            let end = accepted + limit;
            if settling.is_over(now) {
                break BTreeSet::new();
            }
            if Instant::now() >= end {
                break silent;
            }
            let pause = match settling.counts_from() {
                Some(from) if from > now && settling.agrees_so_far() => from - now,
                Some(from) if from > now => (from - now).min(self.settings.pause.after(idle)),
                Some(_) if silent.is_empty() && settling.only_needs_confirmation() => {
                    Duration::ZERO
                }
                _ => self.settings.pause.after(idle),
            };
            idle += 1;
            sleep_until((Instant::now() + pause).min(end)).await;
        };
        if self.blind.is_empty() {
            self.blind = take(&mut blind);
            self.doubt(limit, silent.is_empty());
        }
        let in_doubt = self.enforcement.is_in_doubt();
        let blind = self.blind.iter().cloned().collect();
        let silent = silent.into_iter().collect();
        Settled {
            settling,
            blind,
            silent,
            enforced: Vec::new(),
            looked,
            limit,
            in_doubt,
            lost: None,
        }
    }

    /// Tells, once for a cluster, that no node ever enforced anything on it within a whole
    /// deadline. Where the witness was not heard, nobody knows.
    fn doubt(&self, waited: Duration, heard: bool) {
        let none = self.sentinel.denied && self.blind.len() == self.sentinel.nodes().len();
        if !none || !heard || waited < self.settings.step_deadline {
            return;
        }
        if self.enforcement.waited_in_vain() {
            let what = format!(
                "no node was ever seen to enforce a policy here, and the run's own was waited for {} ms; does this cluster enforce NetworkPolicies? Where it should, its network plugin may be missing or broken; where it does not, `--cni flannel` declares it, and the run becomes a negative control. Until a node is seen to, steps are given {} ms instead",
                waited.as_millis(),
                self.settings.vain_deadline.min(waited).as_millis()
            );
            self.sink.of(self.sink.cluster(), "").emit(Event::Noticed { what });
        }
    }

    /// Remembers how long a step took to be enforced.
    pub(super) fn enforced(&mut self, after: Option<Duration>) {
        self.slowest_enforcement = self.slowest_enforcement.max(after.unwrap_or_default());
    }

    fn sentinel_goal(&self) -> Goal {
        if self.sentinel.denied { Goal::Deny } else { Goal::Allow }
    }

    /// The nodes on which the witness did not connect in a round.
    fn silent(&self, seen: &Matrix<Observation>) -> BTreeSet<Name> {
        self.witness.silent(self.witness_cells.iter().map(|cell| (cell, seen.get(cell))))
    }

    /// The nodes on which the sentinel has not flipped.
    fn not_flipped(&self, seen: &Matrix<Observation>) -> BTreeSet<Name> {
        let flipped = |cell| {
            let outcome = seen.get(cell).map(|seen| &seen.outcome);
            outcome.and_then(|outcome| agrees(self.sentinel_goal(), outcome)) == Some(true)
        };
        let still = self.sentinel_cells.iter().filter(|cell| !flipped(cell));
        still.filter_map(|cell| self.sentinel.node_of(cell)).cloned().collect()
    }

    /// How long after its start a round showed the last flip: at once for a
    /// deny, with its answer for an allow.
    fn slowest_flip(&self, seen: &Matrix<Observation>) -> Duration {
        if self.sentinel.denied {
            return Duration::ZERO;
        }
        let latencies = self.sentinel_cells.iter().filter_map(|cell| seen.get(cell));
        latencies.map(|seen| seen.latency).max().unwrap_or_default()
    }
}
