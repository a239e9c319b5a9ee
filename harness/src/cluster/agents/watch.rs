//! Watches: each agent keeps its share by its own clock, and what all saw is put together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use ringfence_probe::wire::{Ahead, Arrival, Sightings, Stretch};
use ringfence_probe::{MOST_TURNS, Outcome, Pace};
use tokio::time::timeout;

use super::place::astray;
use super::planned::Planned;
use super::request::{Arrivals, Said};
use super::roster::Agents;
use super::round::NONCE;
use super::session::Unanswered;
use super::vigil::{Share, Vigil};
use crate::cluster::Moment;
use crate::cluster::sightings::{heard, moments};
use crate::model::{Endpoint, Observation};

/// How exactly it has to be known when an agent's watch began. Beyond this what it saw cannot
/// be put beside what others did.
const EXACT: Duration = Duration::from_secs(1);

/// A watch that is to begin.
#[derive(Debug, Clone)]
pub struct Plan {
    /// From one turn to the next, at least.
    pub interval: Duration,
    /// How long silence must last to count as a drop.
    pub deadline: Duration,
    /// How long to watch before it counts as begun.
    pub before: Duration,
    /// How long to watch at most.
    pub limit: Duration,
    /// How many cells there are to watch, those included that come later.
    pub cells: u32,
    /// Connections to hold, each by its number.
    pub held: Vec<(u32, Planned)>,
    /// What to attempt anew all the time, each by its number.
    pub tried: Vec<(u32, Planned)>,
    /// Whose attempts come later, with their destinations.
    pub later: BTreeSet<Endpoint>,
}

/// What became of a watch.
#[derive(Debug)]
pub struct Ended {
    /// What each cell saw, by its number. Where that is not known, it is one moment that says
    /// why; nothing where it was never attempted.
    pub cells: BTreeMap<u32, Vec<Moment>>,
    /// How much later than said an attempt may have begun: no agent's clock is known better.
    pub blur: Duration,
    /// The cells that were tried from the first moment of their sources' first processes.
    pub from_start: BTreeSet<u32>,
}

/// What one agent saw, by the numbers of the cells, and when its turns began.
struct Seen {
    turns: Vec<Duration>,
    cells: BTreeMap<u32, Vec<Stretch>>,
    /// How much later than said they may have begun.
    blur: Duration,
    from_start: bool,
}

/// What destinations say of themselves: how many sessions with each were lost.
type Epochs = BTreeMap<Endpoint, u64>;

/// A watch, and how its destinations were when it began. Where it is dropped, it ends unseen.
#[derive(Debug)]
pub struct Watched {
    /// The watch.
    pub vigil: Vigil,
    epochs: Epochs,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.vigil.leave_off();
    }
}

impl Agents {
    /// What an agent that does not answer yet is to be started with, where something watched
    /// comes from it.
    pub fn ahead(&self, source: &Endpoint) -> Option<Ahead> {
        self.vigil.as_ref()?.ahead(source)
    }

    /// Has agents watch, and returns when all that answer do. Another watch ends.
    pub async fn begin_watch(&mut self, plan: Plan) -> Watched {
        let Plan { interval, deadline, before, limit, cells, held, tried, later } = plan;
        let nonces = u64::from(MOST_TURNS) * u64::from(cells) + 1;
        let nonce = NONCE.fetch_add(nonces, Ordering::Relaxed) + 1;
        let pace = Pace { interval, deadline, before, limit, nonce, stride: cells };
        let vigil = Vigil::new(pace, Arc::clone(&self.targets));
        let destinations: BTreeSet<Endpoint> =
            held.iter().chain(&tried).map(|(_, planned)| planned.destination.clone()).collect();
        // What arrived before belongs to no attempt of this watch.
        let told = self.all_arrivals(&destinations).await;
        let told = told.into_iter().filter_map(|(end, said)| Some((end, said.ok()?.epoch)));
        let known = self.sessions.iter().map(|(end, it)| (end.clone(), it.state().epoch));
        let epochs = known.chain(told).collect();
        {
            let mut shares = vigil.shares();
            shares.held = held.iter().map(|(id, _)| *id).collect();
            shares.planned = held.into_iter().chain(tried).collect();
        }
        let mut sources = later;
        sources.extend(vigil.shares().planned.values().map(|planned| planned.source.clone()));
        for source in sources {
            if let Some(session) = self.sessions.get(&source) {
                vigil.ask(&source, session.requests());
            }
        }
        self.vigil = Some(vigil.clone());
        let limit = before + deadline * 2 + self.patience.answer;
        let asked: Vec<_> = vigil.shares().asked.values().map(|it| it.answer.clone()).collect();
        let watching = asked.into_iter().map(async |mut answer| {
            drop(answer.wait_for(Option::is_some).await);
        });
        // One that does not answer is asked for the reason in the end.
        drop(timeout(limit, join_all(watching)).await);
        Watched { vigil, epochs }
    }

    /// Ends a watch.
    pub async fn end_watch(&mut self, watched: Watched) -> Ended {
        let Watched { vigil, epochs } = &watched;
        self.vigil = None;
        let shares = std::mem::take(&mut *vigil.shares());
        let limit = self.patience.answer + vigil.pace().deadline * 2;
        let agents = &*self;
        let ends = shares.asked.into_iter().map(|(source, share)| async move {
            let seen = agents.sightings(&source, share, vigil, limit).await;
            (source, seen)
        });
        let seen: BTreeMap<Endpoint, Result<Seen, String>> =
            join_all(ends).await.into_iter().collect();
        let destinations: BTreeSet<Endpoint> =
            shares.planned.values().map(|planned| planned.destination.clone()).collect();
        let told: BTreeMap<Endpoint, Result<Arrivals, String>> = self
            .all_arrivals(&destinations)
            .await
            .into_iter()
            .map(|(end, said)| {
                let before = epochs.get(&end).copied().unwrap_or_default();
                let told = agents.trusted(&end, said, before);
                (end, told)
            })
            .collect();
        let over = vigil.elapsed();
        let known = seen.values().flatten();
        let blur = known.map(|seen| seen.blur).max().unwrap_or_default();
        let ahead = shares.ahead.iter().filter(|(source, _)| {
            seen.get(source).is_some_and(|seen| seen.as_ref().is_ok_and(|seen| seen.from_start))
        });
        let from_start = ahead.flat_map(|(_, (_, tried))| tried).copied().collect();
        let cells = shares.planned.into_iter().map(|(id, planned)| {
            let seen = match seen.get(&planned.source) {
                Some(Ok(seen)) => Ok(seen),
                Some(Err(why)) => Err(why.clone()),
                None => Err(format!("no agent of `{}` was there to watch", planned.source)),
            };
            let told = match told.get(&planned.destination) {
                Some(Ok(told)) => Ok(told),
                Some(Err(why)) => Err(why.clone()),
                None => Err(format!("no agent of `{}` was asked", planned.destination)),
            };
            let held = shares.held.contains(&id);
            let found = seen.and_then(|seen| Ok(put_together(id, held, seen, told?, vigil)));
            let unknown = |why| vec![Moment { at: over, seen: Observation::broken(why) }];
            (id, found.unwrap_or_else(unknown))
        });
        Ended { cells: cells.collect(), blur, from_start }
    }

    /// Ends an agent's share: what it saw, in the time of the watch.
    async fn sightings(
        &self,
        source: &Endpoint,
        mut share: Share,
        vigil: &Vigil,
        limit: Duration,
    ) -> Result<Seen, String> {
        let who = |why: &str| format!("the agent of `{source}` {why}");
        let session = self.sessions.get(source).ok_or_else(|| who("is not there any more"))?;
        let asked = vigil.elapsed();
        let end = session.end_watch(limit).await;
        let told = vigil.elapsed();
        let end = end.map_err(|reason| unanswered(source, reason))?;
        // Agents answer in order: this one has been answered, or never will be.
        let watching = timeout(limit, share.answer.wait_for(Option::is_some)).await;
        let watching = watching.ok().and_then(|answer| (*answer.ok()?).clone());
        let (watching, answered) = watching.ok_or_else(|| who("did not say that it watches"))?;
        let watching = watching.map_err(|why| who(&format!("did not watch: {why}")))?;
        if watching.epoch != end.epoch {
            return Err(who("was restarted while it watched"));
        }
        let wanted = self.places.get(source).map(Vec::as_slice).unwrap_or_default();
        for place in [&watching.whereabouts, &end.whereabouts] {
            if let Some(why) = astray(wanted, place) {
                return Err(format!("expected the agent of `{source}` {why}"));
            }
        }
        let Sightings { asked_us, told_us, from_start, turns, seen, broken } = end.what;
        if let Some(why) = broken {
            return Err(who(&format!("left off watching: {why}")));
        }
        let micros = Duration::from_micros;
        let earliest = share.at.max(asked.saturating_sub(micros(asked_us)));
        let latest =
            answered.saturating_sub(watching.what).min(told.saturating_sub(micros(told_us)));
        let blur = latest.saturating_sub(earliest);
        if blur > EXACT {
            return Err(who(&format!(
                "watched by a clock that is known to {} ms only: its session was slow or cut",
                blur.as_millis()
            )));
        }
        // What may have been before a change is not held against it.
        let origin = earliest.min(latest);
        let turns = turns.into_iter().map(|at| origin + micros(at)).collect();
        Ok(Seen { turns, cells: seen.into_iter().collect(), blur, from_start })
    }

    /// What a destination tells, if it is the agent, and where, it was before.
    fn trusted(
        &self,
        end: &Endpoint,
        said: Result<Said<Arrivals>, Unanswered>,
        epoch: u64,
    ) -> Result<Arrivals, String> {
        let said = said.map_err(|reason| unanswered(end, reason))?;
        if said.epoch != epoch {
            return Err(format!("the agent of `{end}` was restarted while it was watched"));
        }
        let wanted = self.places.get(end).map(Vec::as_slice).unwrap_or_default();
        match astray(wanted, &said.whereabouts) {
            None => Ok(said.what),
            Some(why) => Err(format!("expected the agent of `{end}` {why}")),
        }
    }

    async fn all_arrivals(
        &self,
        ends: &BTreeSet<Endpoint>,
    ) -> Vec<(Endpoint, Result<Said<Arrivals>, Unanswered>)> {
        let answers = ends.iter().map(async |end| {
            let answer = match self.sessions.get(end) {
                Some(session) => session.take_arrivals(self.patience.answer).await,
                None => Err(Unanswered::Over("there is none".to_owned())),
            };
            (end.clone(), answer)
        });
        join_all(answers).await
    }
}

/// What a source saw of a cell and what arrived of it. Silence is only a drop where the
/// destination has forgotten nothing that arrived.
fn put_together(id: u32, held: bool, seen: &Seen, told: &Arrivals, vigil: &Vigil) -> Vec<Moment> {
    let stretches = seen.cells.get(&id).map(Vec::as_slice).unwrap_or_default();
    let mut moments = moments(&seen.turns, stretches);
    if held {
        return moments;
    }
    let arrived: HashMap<u64, &Arrival> =
        told.arrivals.iter().map(|arrival| (arrival.nonce, arrival)).collect();
    heard(&mut moments, stretches, vigil.pace(), id, &arrived);
    if told.lost > 0 {
        for moment in moments.iter_mut().filter(|it| it.seen.outcome == Outcome::Dropped) {
            moment.seen = Observation::broken(format!(
                "silence, and its destination has forgotten {} of the requests that arrived",
                told.lost
            ));
        }
    }
    moments
}

fn unanswered(endpoint: &Endpoint, unanswered: Unanswered) -> String {
    let (Unanswered::Lost(reason) | Unanswered::Late(reason) | Unanswered::Over(reason)) =
        unanswered;
    format!("no answer from the agent of `{endpoint}`: {reason}")
}
