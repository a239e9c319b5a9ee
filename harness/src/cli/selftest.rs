//! `ringfence selftest`: faulty dataplanes, and whether they are noticed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use futures_util::stream::{self, StreamExt as _};

use super::failure::Failure;
use super::interrupts::Interrupts;
use super::screen;
use super::selftest_args::Selftest as Arguments;
use super::selftest_lab::{Found, Lab, Until};
use super::settings::{default_jobs, new_seed};
use crate::catalogue::{self, Case};
use crate::cluster::embedded::{Delay, Fault};
use crate::exit::ExitCode;
use crate::selftest::{
    BOUND, FaultFree, Judged, Pair, Plan, SCHEMA, Selftest, Sweep, Trial, Verdict, detector, list,
    render, verdict,
};

/// The longest that a dataplane without a fault is late, in milliseconds: slower than the
/// embedded one ever is, and within what a step is given on any cluster.
const LONGEST_MS: u64 = 400;

/// Tries the faults that are asked for, and reports what noticed them.
pub(super) fn selftest(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let cases = catalogue::cases().map_err(Failure::untold)?;
    let faults: Vec<Fault> = match arguments.fault.as_slice() {
        [] => Fault::ALL.to_vec(),
        some => BTreeSet::from_iter(some.iter().copied()).into_iter().collect(),
    };
    let look = screen::stdout();
    if arguments.list {
        screen::print(list(&faults, &cases, look).as_bytes())?;
        return Ok(ExitCode::Passed);
    }
    let json: Option<Result<(&Path, File)>> =
        arguments.json.as_deref().map(|path| Ok((path, created(path)?)));
    let json = json.transpose().map_err(Failure::usage)?;
    let work = Work {
        cases,
        faults,
        full: arguments.full,
        jobs: arguments.jobs.unwrap_or_else(|| default_jobs(true)).get(),
        seed: arguments.seed.unwrap_or_else(new_seed),
    };
    let runtime = super::runtime()?;
    let found = runtime.block_on(interruptible(&work));
    runtime.shutdown_background();
    let found = found?;
    screen::print(render(&found, look).as_bytes())?;
    if let Some((path, file)) = json {
        write(file, &found)
            .with_context(|| format!("cannot write `{}`", path.display()))
            .map_err(Failure::untold)?;
    }
    Ok(found.exit_code())
}

fn created(path: &Path) -> Result<File> {
    File::create(path).with_context(|| {
        format!("expected a file for `--json`, found that `{}` cannot be made", path.display())
    })
}

fn write(mut file: File, found: &Selftest) -> Result<()> {
    serde_json::to_writer_pretty(&mut file, found)?;
    Ok(file.write_all(b"\n")?)
}

/// What is asked for.
struct Work {
    cases: Vec<Case>,
    faults: Vec<Fault>,
    full: bool,
    jobs: usize,
    seed: u64,
}

/// Does the work. The first signal has everything torn down, and what is known is reported; a
/// second one ends it without. Nothing of an embedded cluster outlives the process.
async fn interruptible(work: &Work) -> Result<Selftest, Failure> {
    let (stopper, stop) = crate::run::Stop::new();
    let mut interrupts = Interrupts::listen()?;
    let tried = work.all(stop);
    tokio::pin!(tried);
    loop {
        let signals = tokio::select! {
            found = &mut tried => return found.map_err(Failure::untold),
            signals = interrupts.next() => signals,
        };
        if signals > 1 {
            return Err(Failure::untold(anyhow!("interrupted twice: ended without teardown")));
        }
        stopper.stop();
        screen::note("interrupted: tearing down; again to end without");
    }
}

impl Work {
    /// Each fault by itself, no fault, pairs of faults, and where it is asked for every fault
    /// against every case.
    async fn all(&self, stop: crate::run::Stop) -> Result<Selftest> {
        let begun = Instant::now();
        let plan = Plan::new(&self.cases, &self.faults, self.seed);
        let wanted: BTreeSet<&str> = match self.full {
            true => self.cases.iter().map(|case| case.id.as_str()).collect(),
            false => {
                let of_trials = plan.trials.iter().flat_map(|trial| &trial.cases);
                of_trials.chain(&plan.fault_free).map(String::as_str).collect()
            }
        };
        let lab = Lab::new(&self.cases, &wanted, self.seed, stop)?;
        let faults = self.faults(&lab, &plan.trials).await?;
        let fault_free = match lab.is_stopped() {
            true => None,
            false => Some(self.fault_free(&lab, plan.fault_free).await?),
        };
        let caught: Vec<(Fault, String)> = faults
            .iter()
            .filter_map(|judged| Some((judged.fault, judged.sight()?.case.clone())))
            .collect();
        let pairs = self.pairs(&lab, &Plan::pairs(&caught, self.seed)).await?;
        let sweep = match self.full && !lab.is_stopped() {
            true => Some(self.sweep(&lab).await?),
            false => None,
        };
        Ok(Selftest {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: self.seed,
            faults,
            fault_free,
            pairs,
            sweep,
            took: begun.elapsed(),
        })
    }

    /// What became of trials, several at a time, in their order; each is told as it ends.
    async fn tried(
        &self,
        lab: &Lab,
        trials: &[Trial],
        until: Until,
        told: impl Fn(&Trial, &Found) -> String,
    ) -> Result<Vec<Found>> {
        let one = |(place, trial)| async move {
            let found = lab.run(trial, None, 1, until).await;
            (place, trial, found)
        };
        let mut running =
            stream::iter(trials.iter().enumerate()).map(one).buffer_unordered(self.jobs);
        let mut ended = Vec::with_capacity(trials.len());
        while let Some((place, trial, found)) = running.next().await {
            let found = found?;
            let told = told(trial, &found);
            ended.push((place, found));
            screen::note(&format!("{} of {}  {told}", ended.len(), trials.len()));
        }
        ended.sort_by_key(|(place, _)| *place);
        Ok(ended.into_iter().map(|(_, found)| found).collect())
    }

    async fn faults(&self, lab: &Lab, trials: &[Trial]) -> Result<Vec<Judged>> {
        let word = |found: &Found| match verdict(&found.run, found.first.clone()) {
            Verdict::Caught(_) => "caught",
            Verdict::Survived { .. } => "SURVIVED",
            Verdict::Untold { .. } => "untold",
        };
        let told = |trial: &Trial, found: &Found| format!("{}  {}", word(found), names(trial));
        let found = self.tried(lab, trials, Until::Seen, told).await?;
        let judged = self.faults.iter().zip(found).map(|(fault, found)| Judged {
            fault: *fault,
            about: fault.sentence(),
            level: detector(*fault).level,
            bound: detector(*fault).bound,
            verdict: verdict(&found.run, found.first),
        });
        Ok(judged.collect())
    }

    async fn fault_free(&self, lab: &Lab, cases: Vec<String>) -> Result<FaultFree> {
        screen::note(&format!("{} cases without a fault", cases.len()));
        let longest = Duration::from_millis(LONGEST_MS);
        let trial = Trial { faults: Vec::new(), cases, bound: BOUND + longest };
        let delay = Delay { seed: self.seed, longest_ms: LONGEST_MS };
        let found = lab.run(&trial, Some(delay), self.jobs, Until::Over).await?;
        Ok(FaultFree::of(&found.run, longest))
    }

    async fn pairs(&self, lab: &Lab, trials: &[Trial]) -> Result<Vec<Pair>> {
        if lab.is_stopped() {
            return Ok(Vec::new());
        }
        let told = |trial: &Trial, found: &Found| {
            format!("{}  {}", if found.seen.is_empty() { "not seen" } else { "seen" }, names(trial))
        };
        let found = self.tried(lab, trials, Until::Over, told).await?;
        let pairs = trials.iter().zip(&found);
        Ok(pairs.filter_map(|(trial, found)| Pair::of(trial, &found.run, &found.seen)).collect())
    }

    async fn sweep(&self, lab: &Lab) -> Result<Sweep> {
        let mut sweep = Sweep::new(self.cases.iter().map(|case| case.id.clone()));
        for (place, trial) in Plan::sweep(&self.cases, &self.faults).iter().enumerate() {
            let found = lab.run(trial, None, self.jobs, Until::Over).await?;
            let caught = found.seen.len();
            screen::note(&format!(
                "{} of {}  {} is caught by {caught} of {} cases",
                place + 1,
                self.faults.len(),
                names(trial),
                trial.cases.len()
            ));
            for fault in &trial.faults {
                sweep.add(*fault, &found.run, found.seen.clone());
            }
        }
        Ok(sweep)
    }
}

fn names(trial: &Trial) -> String {
    let names: Vec<&str> = trial.faults.iter().map(|fault| fault.name()).collect();
    names.join(" with ")
}
