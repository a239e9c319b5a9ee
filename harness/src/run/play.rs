//! Plays a scenario's steps: control, apply, settle, lift.

mod blindness;
mod change;
mod negative;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::time::{Instant, timeout};

use crate::cluster::{Capabilities, Cluster, ClusterError};
use crate::model::{Cell, Change, Intent, Name, PodName, Topology, World};
use crate::scenario::{Expectation, Scenario, Step};

use super::binding::bind_all;
use super::enforcement::Enforcement;
use super::judge::Control;
use super::lack;
use super::needs;
use super::paths::{Path, Paths, removes};
use super::plan::{self, Plan};
use super::sentinel::Sentinel;
use super::settle::{Course, Goal, SettleRules, Settling, Watch};
use super::stage::{Settled, Stage};
use super::tally::{Held, Tally};
use super::watched::Watching;
use super::witness::Witness;
use super::{Event, EventSink, Purpose, Settings, Status, StepTiming};
use blindness::{blindness, silence};
use change::Made;

/// What a scenario's run leaves behind when it breaks off, wherever that is.
#[derive(Default)]
pub(super) struct Progress {
    /// The steps so far.
    pub(super) tally: Tally,
    /// What is known of paths.
    pub(super) paths: Paths,
}

/// Deploys a scenario and plays it to its end. What was found is in `progress`,
/// also where this breaks off with an error.
pub(super) async fn play(
    scenario: &Scenario,
    cluster: &mut dyn Cluster,
    settings: &Settings,
    sink: &EventSink,
    enforcement: &Enforcement,
    progress: &mut Progress,
) -> Result<(), ClusterError> {
    let capabilities = cluster.capabilities().clone();
    needs::met(scenario, &capabilities).map_err(ClusterError::Unsupported)?;
    let begun = Instant::now();
    let avoid = scenario.declared_ranges();
    let sentinel = |nodes: &[Name]| Sentinel::new(scenario, nodes.iter().cloned());
    let witness =
        |nodes: &[Name]| Witness::new(scenario, nodes.iter().cloned(), &capabilities.protocols);
    let beside = |nodes: &[Name]| {
        let mut pods = sentinel(nodes).deployment();
        pods.extend(witness(nodes).deployment());
        pods
    };
    let deploy = cluster.deploy_beside(&scenario.topology, scenario.nodes, &avoid, &beside);
    let deadline = settings.deploy_deadline;
    let found = timeout(deadline, deploy).await.map_err(|_| ClusterError::Deadline {
        what: "the scenario's pods to be deployed".to_owned(),
        deadline,
    })??;
    let mut world = World::new(scenario.topology.clone());
    let nodes: Vec<Name> = found.nodes.keys().cloned().collect();
    let (sentinel, witness) = (sentinel(&nodes), witness(&nodes));
    let stage = Stage::set(cluster, settings, sink, enforcement, sentinel, witness, &found)?;
    adopt(&mut world.topology, found)?;
    sink.emit(Event::Deployed {
        capabilities: capabilities.clone(),
        topology: world.topology.clone(),
        names: stage.names(),
        took: begun.elapsed(),
    });
    let mut play = Play {
        scenario,
        settings,
        sink,
        capabilities,
        stage,
        world,
        progress,
        goals: BTreeMap::new(),
        open: BTreeSet::new(),
        blind: None,
        controlled: false,
        enforced: false,
    };
    let mut expectations = play.control().await?.into_iter();
    for (index, step) in scenario.steps.iter().enumerate() {
        let (expectation, _) = expectations.next().context("a step has no expectations")?;
        let stepped = play.step(index, step, expectation).await;
        stepped.map_err(|error| in_step(&step.name, error))?;
        play.judge_known();
        if play.is_in_vain(index) {
            break;
        }
    }
    play.lift().await?;
    play.judge_known();
    play.end_negative_control();
    Ok(())
}

/// Names the step in which an error came.
fn in_step(step: &str, error: ClusterError) -> ClusterError {
    match error {
        ClusterError::Unsupported(why) => {
            ClusterError::Unsupported(format!("step `{step}`: {why}"))
        }
        ClusterError::Lost(why) => ClusterError::Lost(format!("{why} (in step `{step}`)")),
        ClusterError::Deadline { what, deadline } => {
            ClusterError::Deadline { what: format!("in step `{step}`, {what}"), deadline }
        }
        ClusterError::Other(error) => ClusterError::Other(error.context(format!("step `{step}`"))),
    }
}

/// Takes nodes and addresses from the cluster's topology. Labels, ports and
/// phases stay as the scenario has them: what is specified follows from the
/// scenario, not from what a cluster says of itself.
fn adopt(topology: &mut Topology, found: Topology) -> Result<(), ClusterError> {
    for (name, pod) in topology.pods.iter_mut().filter(|(_, pod)| pod.has_network()) {
        let found = found
            .pods
            .get(name)
            .ok_or_else(|| anyhow!("expected the cluster to have the pod `{name}`, found none"))?;
        pod.node.clone_from(&found.node);
        pod.addresses.clone_from(&found.addresses);
    }
    topology.nodes = found.nodes;
    Ok(())
}

struct Play<'a> {
    scenario: &'a Scenario,
    settings: &'a Settings,
    sink: &'a EventSink,
    capabilities: Capabilities,
    stage: Stage<'a>,
    world: World,
    progress: &'a mut Progress,
    /// What every path was to do at the end of the step before.
    goals: BTreeMap<Path, Goal>,
    /// The paths that were open before the step, and were to be.
    open: BTreeSet<Path>,
    /// That the sentinel did not flip in some step, in words.
    blind: Option<String>,
    /// Whether a deny was asked for on a negative control.
    controlled: bool,
    /// Whether the sentinel's policy was enforced on a negative control.
    enforced: bool,
}

impl Play<'_> {
    /// Shows every path open that is there before any policy and that a step
    /// will ask about. Returns what the steps expect.
    async fn control(&mut self) -> Result<Vec<(Expectation, Topology)>, ClusterError> {
        let there = &self.world.topology;
        let expectations = plan::expectations(&self.scenario.steps, self.world.clone())?;
        let cells: BTreeSet<Cell> = expectations
            .iter()
            .flat_map(|step| plan::cells(step, &self.capabilities))
            .filter(|cell| plan::has_ends(there, cell))
            .cloned()
            .collect();
        let must = self.must_open(there, cells.iter());
        let mut shut = self.stage.control(must.clone()).await?;
        // The API lets these be shut even now. Nobody waits for them, but where a
        // policy says what they do, it must be known whether they work at all.
        let may = cells.difference(&must).cloned().collect();
        shut.extend(self.stage.look(may, Purpose::Control).await?);
        let open = must.iter().filter(|cell| !shut.contains_key(*cell));
        self.open = open.map(|cell| self.progress.paths.path(cell)).collect();
        self.learn(cells, shut);
        Ok(expectations)
    }

    /// The cells that have to be open without policies, and are waited for: not those over
    /// a protocol that the cluster does not declare.
    fn must_open<'c>(
        &self,
        topology: &Topology,
        cells: impl Iterator<Item = &'c Cell>,
    ) -> BTreeSet<Cell> {
        let waited_for = cells.filter(|cell| !lack::is_in_doubt(cell, &self.capabilities));
        plan::open_without_policies(topology, waited_for)
    }

    /// Takes note of paths that were shown open, or stayed shut.
    fn learn(&mut self, cells: BTreeSet<Cell>, mut shut: BTreeMap<Cell, String>) {
        for cell in cells {
            let control = shut.remove(&cell).map_or(Control::Open, Control::NeverOpen);
            let path = self.progress.paths.path(&cell);
            self.progress.paths.learn(path, control);
        }
    }

    /// Whether the rest of the steps would tell nothing: the sentinel is blind,
    /// and this step has shown what becomes of what is denied, or no later one would.
    fn is_in_vain(&mut self, index: usize) -> bool {
        let Some(blind) = &self.blind else { return false };
        let denies = |step: &Step| {
            step.expect.iter().chain(&step.faults).any(|rule| rule.intent == Intent::Deny)
        };
        let rest = &self.scenario.steps[index + 1..];
        if !self.goals.values().any(|goal| *goal == Goal::Deny) && rest.iter().any(denies) {
            return false;
        }
        let mut reason = blind.clone();
        if !rest.is_empty() {
            let names: Vec<String> = rest.iter().map(|step| format!("`{}`", step.name)).collect();
            reason.push_str("; not judged: ");
            reason.push_str(&names.join(", "));
        }
        self.progress.tally.befall(Status::Errored, reason);
        true
    }

    async fn step(
        &mut self,
        index: usize,
        step: &Step,
        expectation: Expectation,
    ) -> Result<(), ClusterError> {
        let begun = Instant::now();
        let mut notes = Vec::new();
        if self.loses_control(step) {
            self.lift().await?;
            self.judge_known();
            self.restore(index).await?;
            notes.push(
                "this step removes pods that came late, or whose paths were seen denied: before it, the policies were lifted to show that these paths work, and applied again"
                    .to_owned(),
            );
        }
        let changes = bind_all(&step.changes, &step.bindings, &self.world.topology)
            .map_err(anyhow::Error::from)?;
        let watched = [expectation.held.clone(), expectation.tried.clone()];
        let before = self.world.clone();
        let Made { found, accepted, lag, order, seen, not_watched } =
            self.make(index, &changes, &expectation).await?;
        for change in &changes {
            self.world.change(change).context("the scenario's changes do not apply")?;
            self.progress.paths.change(change);
        }
        adopt(&mut self.world.topology, found)?;
        self.sink.emit(Event::StepStarted {
            step: index,
            name: step.name.clone(),
            changes: changes.iter().map(plan::phrase).collect(),
            rewritten: self.stage.rewritten(),
        });

        let paths = &self.progress.paths;
        let is_shut = |cell: &Cell| paths.control(&paths.path(cell)).is_some_and(Control::is_shut);
        let Plan { questions, mut not_judged } =
            plan::plan(step, expectation, &self.world, &self.capabilities, is_shut);
        not_judged.extend(not_watched);
        notes.extend(not_judged.iter().map(ToString::to_string));
        notes.extend(seen.iter().flat_map(|seen| seen.timeline.remarks.iter().cloned()));
        let questions: Vec<_> = questions
            .into_iter()
            .map(|question| {
                let path = self.progress.paths.path(&question.cell);
                (question, path)
            })
            .collect();
        let goals: BTreeMap<Path, Goal> =
            questions.iter().map(|(question, path)| (path.clone(), plan::goal(question))).collect();
        let mut watching = seen
            .map(|seen| Watching::new(order, seen, step, &watched, &questions, &before, &changes))
            .transpose()?;
        let new = plan::new_pods(&changes);
        let by_isolation: BTreeSet<&Cell> = questions
            .iter()
            .filter(|(question, _)| question.specified.is_by_isolation())
            .map(|(question, _)| &question.cell)
            .collect();
        let watches = goals.iter().map(|(path, goal)| {
            let isolated = by_isolation.contains(&path.cell) && plan::only_adds(&changes);
            (path.cell.clone(), self.watch(path, *goal, isolated, &new))
        });
        let rules = SettleRules {
            differing: self.settings.differing_rounds,
            patience: self.settings.patience,
        };
        let settling = Settling::new(watches, rules);
        let settled = self.stage.settle(index, settling, accepted).await;
        let unseen = blindness(&settled);
        let Settled { settling, blind, silent, enforced, looked, limit, lost, .. } = settled;
        self.control_negatively(&step.name, &questions, &enforced);

        let became = |wanted: Goal| {
            // Before the first step every path was open.
            let before = |path: &Path| match index {
                0 if !new.iter().any(|pod| plan::is_end(pod, &path.cell)) => Some(Goal::Allow),
                _ => self.goals.get(path).copied(),
            };
            goals
                .iter()
                .filter(move |(path, goal)| **goal == wanted && before(path) != Some(wanted))
        };
        let time = |wanted| settling.last_to_agree(became(wanted).map(|(path, _)| &path.cell));
        let (mut to_enforce, mut to_allow) = (time(Goal::Deny), time(Goal::Allow));
        if watching.is_some() {
            // The rounds began when the watch was over, which has the exact times.
            (to_enforce, to_allow) = (None, None);
        }
        let timing = StepTiming {
            to_look: looked.filter(|_| watching.is_none()),
            to_enforce,
            to_allow,
            total: Some(begun.elapsed()),
            rounds: settling.rounds,
        };
        if !settling.is_over(accepted.elapsed()) && blind.is_empty() && lost.is_none() {
            notes.push(format!(
                "not settled within the step's deadline of {} ms",
                limit.as_millis()
            ));
        }
        if let Some(unseen) = unseen {
            self.blind.get_or_insert(unseen);
        }
        let mut seen = match &self.blind {
            Some(blind) => settling.courses_unseen(blind),
            None => {
                let silent = (!silent.is_empty()).then(|| silence(&silent, limit));
                settling.courses(silent.as_deref())
            }
        };
        for (course, _) in seen.values_mut() {
            if let Course::Leaked { at } = course {
                *at += lag;
            }
        }
        if let Some(watching) = &mut watching {
            watching.doubt.clone_from(&self.blind);
        }
        if let Some(error) = &lost {
            let reason = format!("the rounds broke off: {error}");
            seen.values_mut().for_each(|(course, _)| *course = Course::Untold(reason.clone()));
        }
        self.open.clear();
        for (_, path) in &questions {
            // A late pod's path that connects under policies works without them too.
            let observed = seen.get(&path.cell).and_then(|(_, observed)| observed.as_ref());
            if self.progress.paths.control(path).is_none()
                && observed.is_some_and(|seen| seen.outcome.is_connected())
            {
                self.progress.paths.learn(path.clone(), Control::Open);
            }
            match (seen.get(&path.cell), goals.get(path)) {
                (Some((Course::Agreed, _)), Some(goal)) => {
                    self.progress.paths.see(path, *goal == Goal::Deny);
                    if *goal == Goal::Allow {
                        self.open.insert(path.clone());
                    }
                }
                (Some((_, Some(observed))), _) if observed.outcome.is_connected() => {
                    self.progress.paths.see(path, false);
                }
                _ => {}
            }
        }
        self.progress.tally.hold(Held {
            step: index,
            name: step.name.clone(),
            questions,
            seen,
            rejected: step.rejected.iter().map(|rejected| rejected.found.clone()).collect(),
            timing,
            notes,
            not_judged,
            watching,
        });
        self.goals = goals;
        self.stage.enforced(to_enforce.max(to_allow));
        lost.map_or(Ok(()), Err)
    }

    /// How a cell is looked at. `isolated`: its ends were isolated before the step's changes.
    fn watch(&self, path: &Path, goal: Goal, isolated: bool, new: &BTreeSet<PodName>) -> Watch {
        let is_new = new.iter().any(|pod| plan::is_end(pod, &path.cell));
        // A path that does not work is inconclusive; nothing is waited for.
        let shut = self.progress.paths.control(path).is_some_and(Control::is_shut);
        Watch {
            goal: if shut { Goal::Free } else { goal },
            from_first_instant: is_new && goal == Goal::Deny && isolated,
            until_deadline: is_new && goal == Goal::Allow,
            steady: goal == Goal::Allow && !shut && self.open.contains(path),
        }
    }

    /// Whether a step removes a pod whose paths still need to be shown open: they
    /// had no control yet, or were last seen denied. Where the sentinel is blind,
    /// nothing rests on what was seen denied.
    fn loses_control(&self, step: &Step) -> bool {
        let Progress { tally, paths } = &*self.progress;
        let needed = tally.needed(paths);
        let denied = paths.denied().filter(|_| self.blind.is_none());
        needed
            .iter()
            .chain(denied)
            .any(|path| step.changes.iter().any(|change| removes(change, &path.cell)))
    }

    /// Lifts every policy and shows paths open: those that had no control yet,
    /// and those that were last seen denied. What stops a path of which a part
    /// died during the run is no policy. Does nothing where there are none.
    async fn lift(&mut self) -> Result<(), ClusterError> {
        let needed = self.progress.tally.needed(&self.progress.paths);
        let denied = self.progress.paths.take_denied();
        if needed.is_empty() && denied.is_empty() {
            return Ok(());
        }
        let of_cluster = self.world.cluster_policies.keys().cloned();
        let lifted = of_cluster.map(Change::DeleteClusterPolicy);
        let lifted = lifted.chain(self.world.policies.keys().cloned().map(Change::DeletePolicy));
        self.stage.lift(lifted.collect()).await?;
        let needed: BTreeSet<Cell> = needed.into_iter().map(|path| path.cell).collect();
        let denied: BTreeSet<Cell> = denied.into_iter().map(|path| path.cell).collect();
        let all = needed.union(&denied);
        let must = self.must_open(&self.world.topology, all.clone());
        let may: BTreeSet<Cell> = needed.difference(&must).cloned().collect();
        let mut shut = self.stage.open(must, Purpose::Lift).await?;
        shut.extend(self.stage.look(may, Purpose::Lift).await?);
        let closed: Vec<_> = shut.iter().filter(|(cell, _)| denied.contains(cell)).collect();
        if let Some((cell, seen)) = closed.first() {
            self.progress.tally.befall(
                Status::Errored,
                format!(
                    "{} of {} paths that were seen denied did not open again when the policies were lifted, within {} ms, so the policies may not be what stopped them; the first is `{cell}`: {seen}",
                    closed.len(),
                    denied.len(),
                    self.settings.control_deadline.as_millis()
                ),
            );
        }
        self.learn(needed, shut);
        Ok(())
    }

    /// Applies the policies again that were lifted, and waits until every node
    /// has looked: the step that follows rests on them.
    async fn restore(&mut self, index: usize) -> Result<(), ClusterError> {
        let of_cluster = self.world.cluster_policies.values().cloned();
        let policies: Vec<Change> = of_cluster
            .map(Change::ApplyClusterPolicy)
            .chain(self.world.policies.values().cloned().map(Change::ApplyPolicy))
            .collect();
        self.stage.change(&policies).await?;
        let rules = SettleRules { differing: 0, patience: Duration::ZERO };
        let settling = Settling::new([], rules);
        let settled = self.stage.settle(index, settling, Instant::now()).await;
        match (blindness(&settled), settled.lost) {
            (_, Some(error)) => Err(error),
            (None, None) => Ok(()),
            (Some(blind), None) => Err(ClusterError::Other(anyhow!(blind))),
        }
    }

    fn judge_known(&mut self) {
        let Progress { tally, paths } = &mut *self.progress;
        tally.judge_known(paths, self.settings.strict, self.sink);
    }
}
