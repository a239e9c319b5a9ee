//! `ringfence clusters`: kind clusters that outlive a run, and what runs left behind.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};

use super::cluster_args::{Clusters, ClustersCommand, Files};
use super::cluster_kind::ClusterKind;
use super::failure::Failure;
use super::screen;
use crate::cluster::docker::{self, Engine};
use crate::cluster::kind::{
    ClusterFolder, DockerImage, KindOptions, Machine, Noting, Plan, State, check_name, client,
    close, clusters_folder, kind_name, list, open, own_names,
};
use crate::cluster::kubernetes::owner::RunId;
use crate::cluster::kubernetes::{self, Alive, Pruned, Scope};
use crate::cluster::{StageState, Stages};
use crate::exit::ExitCode;

/// Makes, shows or removes clusters.
pub(super) fn clusters(args: Clusters) -> Result<ExitCode, Failure> {
    let runtime = super::runtime()?;
    let all = clusters_folder().map_err(Failure::usage)?;
    let done = match args.command {
        ClustersCommand::Up { cluster, name, files } => {
            let wanted = wanted(&cluster, name, &files).map_err(Failure::usage)?;
            runtime.block_on(up(all, wanted))
        }
        ClustersCommand::Down { name } => {
            check_name(&name).map_err(Failure::usage)?;
            runtime.block_on(down(all, &name))
        }
        ClustersCommand::List => show(all),
        ClustersCommand::Prune { on: Some(cluster), run, .. } => {
            let client = runtime.block_on(existing(&cluster)).map_err(Failure::usage)?;
            runtime.block_on(prune_on(&client, run))
        }
        ClustersCommand::Prune { run: Some(run), .. } => runtime.block_on(prune_run(&run)),
        ClustersCommand::Prune { unknown, .. } => runtime.block_on(prune(all, unknown)),
    };
    done.map_err(Failure::untold)?;
    Ok(ExitCode::Passed)
}

/// A machine that loads no agent: that is for a run to do.
fn machine() -> Machine {
    Machine::new(Arc::new(DockerImage(String::new())))
}

/// Stages as lines on standard error.
fn stages() -> Stages {
    Stages::new(|stage| match stage.state {
        StageState::Begun => {}
        StageState::Done { took } => {
            anstream::eprintln!("{:<6} {:6.1} s  {}", stage.name, took.as_secs_f64(), stage.what);
        }
        StageState::Failed { took } => {
            let took = took.as_secs_f64();
            anstream::eprintln!("{:<6} {took:6.1} s  failed: {}", stage.name, stage.what);
        }
    })
}

/// What a cluster is to be made of, and under which name.
fn wanted(cluster: &str, name: Option<String>, files: &Files) -> Result<(KindOptions, String)> {
    let Ok(ClusterKind::Kind(cni)) = cluster.parse() else {
        bail!("expected `kind:CNI[@VERSION]`, found `{cluster}`: no other cluster is made");
    };
    let options = files.options(&cni)?;
    let name = name.unwrap_or_else(|| options.kept_name().to_owned());
    check_name(&name)?;
    Ok((options, name))
}

async fn up(all: PathBuf, (options, name): (KindOptions, String)) -> Result<()> {
    let folder = ClusterFolder::take(&all, &name)?;
    let folder = folder.with_context(|| format!("`{name}` is in use by another process"))?;
    let plan = options.plan(&name, folder.path())?.without_agent();
    match folder.state()? {
        Some(state) if state.ready && state.cni == options.noted => {}
        Some(state) => bail!(
            "expected no cluster under the name `{name}`, found `{}`: `ringfence clusters down {name}` removes it",
            state.cni
        ),
        None => {
            let (name, run) = (name.clone(), None);
            let mut state = State { name, cni: options.noted, kept: true, ready: false, run };
            folder.note(&state)?;
            let (machine, begun, stages) = (machine(), AtomicBool::new(false), stages());
            let hands = Noting { hands: &machine, begun: &begun };
            let mut terminate =
                signal(SignalKind::terminate()).context("signals cannot be listened to")?;
            let made = tokio::select! {
                made = open(&plan, &hands, &stages) => made.map_err(anyhow::Error::from),
                _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
                _ = terminate.recv() => Err(anyhow!("interrupted")),
            };
            if let Err(error) = made {
                let begun = begun.load(Ordering::Relaxed);
                let plan = if begun { plan } else { plan.without_nodes() };
                return Err(match close(&plan, &machine).await {
                    Ok(()) => error,
                    Err(left) => anyhow!("{error:#}; {left}"),
                });
            }
            state.ready = true;
            folder.note(&state)?;
        }
    }
    Ok(screen::print(format!("export KUBECONFIG={}\n", plan.kubeconfig.display()).as_bytes())?)
}

async fn down(all: PathBuf, name: &str) -> Result<()> {
    let folder = ClusterFolder::take(&all, name)?;
    let folder = folder.with_context(|| format!("`{name}` is in use by another process"))?;
    if folder.state()?.is_none() {
        bail!("expected a cluster `{name}`, found none: `ringfence clusters list` shows them");
    }
    remove(&folder).await
}

/// Removes a cluster with its folder.
async fn remove(folder: &ClusterFolder) -> Result<()> {
    let plan = Plan::removal(kind_name(folder.name()), folder.path().to_owned());
    Ok(close(&plan, &machine()).await?)
}

fn show(all: PathBuf) -> Result<()> {
    let found = list(&all)?;
    let mut text = String::new();
    for (state, used) in &found {
        let word = match (used, state.ready, state.kept) {
            (true, ..) => "in use",
            (false, true, true) => "ready",
            _ => "left by a run that was killed: `ringfence clusters prune` removes it",
        };
        let kubeconfig = all.join(&state.name).join("kubeconfig");
        text += &format!("{}  {}  {word}\n  {}\n", state.name, state.cni, kubeconfig.display());
    }
    if found.is_empty() {
        text += "no clusters: `ringfence clusters up kind:CNI` makes one\n";
    }
    Ok(screen::print(text.as_bytes())?)
}

/// Removes the clusters that nobody uses and that were not to be kept, or never got ready.
async fn prune(all: PathBuf, unknown: bool) -> Result<()> {
    let (mut lines, mut left) = (Vec::new(), Vec::new());
    let noted = list(&all)?;
    // First: a cluster's note says which run used it.
    match Engine::connect().await {
        Ok(engine) => prune_docker(&engine, &noted, unknown, &mut lines, &mut left).await?,
        Err(error) => screen::note(&format!("Docker was not searched: {error}")),
    }
    for (state, _) in noted.iter().filter(|(state, _)| !state.kept || !state.ready) {
        let Some(folder) = ClusterFolder::take(&all, &state.name)? else { continue };
        match remove(&folder).await {
            Ok(()) => lines.push(format!("removed `{}` ({})", state.name, state.cni)),
            Err(error) => left.push(format!("{error:#}")),
        }
    }
    // Where there is no kind, there are no clusters of its making either.
    let kinds = machine().kinds().await.unwrap_or_default();
    for name in own_names(&kinds) {
        if noted.iter().any(|(state, _)| state.name == name) || check_name(&name).is_err() {
            continue;
        }
        if !unknown {
            lines.push(format!(
                "left `{name}`, of which nothing is noted here: `--unknown` removes it"
            ));
            continue;
        }
        let Some(folder) = ClusterFolder::take(&all, &name)? else { continue };
        match remove(&folder).await {
            Ok(()) => lines.push(format!("removed `{name}`")),
            Err(error) => left.push(format!("{error:#}")),
        }
    }
    for (state, _) in noted.iter().filter(|(state, _)| state.kept && state.ready) {
        // A cluster that stays may hold what its last run left.
        let Some(folder) = ClusterFolder::take(&all, &state.name)? else { continue };
        let Some(run) = &state.run else { continue };
        match left_on(&folder, run).await {
            Ok(gone) => {
                let name = &state.name;
                lines.extend(removed(&gone).map(|it| format!("removed {it} of `{name}`")));
            }
            Err(error) => left.push(format!("`{}`: {error:#}", state.name)),
        }
    }
    told(lines, &left)
}

/// Removes what a run left on a cluster that stays.
async fn left_on(folder: &ClusterFolder, run: &str) -> Result<Pruned> {
    let kubeconfig = Plan::removal(kind_name(folder.name()), folder.path().to_owned()).kubeconfig;
    let client = client(&kubeconfig).await?;
    Ok(kubernetes::prune(&client, &Scope::Run(run.parse()?)).await?)
}

/// What was removed, in the order in which it went.
fn removed(pruned: &Pruned) -> impl Iterator<Item = String> {
    let policies = pruned.policies.iter().map(|name| format!("the policy `{name}`"));
    policies.chain(pruned.removed.iter().map(|name| format!("the namespace `{name}`")))
}

/// Removes hosts outside of clusters, and their networks: those of runs that have ended.
async fn prune_docker(
    engine: &Engine,
    noted: &[(State, bool)],
    unknown: bool,
    lines: &mut Vec<String>,
    left: &mut Vec<String>,
) -> Result<()> {
    for run in docker::runs(engine).await? {
        match noted.iter().find(|(state, _)| state.run.as_ref() == Some(&run)) {
            Some((state, true)) => lines.push(format!(
                "left what the run `{run}` has in Docker, which is under way on `{}`: `--run {run}` removes it all the same",
                state.name
            )),
            None if !unknown => lines.push(format!(
                "left what the run `{run}` has in Docker, of which nothing is noted here: `--run {run}` or `--unknown` removes it"
            )),
            Some((_, false)) | None => prune_scope(engine, run, lines, left).await?,
        }
    }
    Ok(())
}

/// A client of a cluster that exists; nothing is asked of it yet.
async fn existing(cluster: &str) -> Result<Client> {
    let Ok(ClusterKind::Kubeconfig(context)) = cluster.parse() else {
        bail!("expected `kubeconfig[:CONTEXT]` for `--on`, found `{cluster}`");
    };
    kubernetes::connect(context.as_deref()).await
}

/// Removes what a run has in Docker.
async fn prune_scope(
    engine: &Engine,
    run: String,
    lines: &mut Vec<String>,
    left: &mut Vec<String>,
) -> Result<()> {
    let pruned = docker::prune(engine, &docker::Scope::Run(run), false).await?;
    let containers = pruned.containers.iter().map(|name| format!("removed the container `{name}`"));
    let networks = pruned.networks.iter().map(|name| format!("removed the network `{name}`"));
    lines.extend(containers.chain(networks));
    left.extend(pruned.left);
    Ok(())
}

/// Removes what one run has in Docker, whether or not it is under way.
async fn prune_run(run: &RunId) -> Result<()> {
    let (mut lines, mut left) = (Vec::new(), Vec::new());
    prune_scope(&Engine::connect().await?, run.to_string(), &mut lines, &mut left).await?;
    told(lines, &left)
}

async fn prune_on(client: &Client, run: Option<RunId>) -> Result<()> {
    let scope = run.map_or(Scope::Ended, Scope::Run);
    let pruned = kubernetes::prune(client, &scope).await?;
    let removed = removed(&pruned).map(|it| format!("removed {it}"));
    let alive = pruned.alive.iter().map(|Alive { run, ago }| {
        format!(
            "left the run `{run}`, which is under way (last sign of life {} s ago): `--run {run}` removes it all the same",
            ago.as_secs()
        )
    });
    if let Some(why) = &pruned.unseen {
        screen::note(&format!("policies of the cluster were not searched: {why}"));
    }
    told(removed.chain(alive).collect(), &[])
}

/// Prints what was removed, and ends with what could not be.
fn told(mut lines: Vec<String>, left: &[String]) -> Result<()> {
    if lines.is_empty() && left.is_empty() {
        lines.push("nothing was left behind".to_owned());
    }
    if !lines.is_empty() {
        screen::print((lines.join("\n") + "\n").as_bytes())?;
    }
    if left.is_empty() { Ok(()) } else { bail!("{}", left.join("; ")) }
}
