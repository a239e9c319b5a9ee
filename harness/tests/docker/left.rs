//! What a run that was killed leaves behind.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use ringfence::cluster::docker::{DockerHosts, Engine, ExternalHosts, Pruned, Scope, prune, runs};
use ringfence::cluster::kind::{ClusterFolder, State};

use crate::hosts::external;
use crate::{Place, loaded};

/// Says as which run this program is to make something and wait to be killed.
pub(crate) const ROLE: &str = "RINGFENCE_TEST_RUN";

/// The folder of clusters in which that run notes the one that it uses; none where it has none.
const CLUSTERS: &str = "RINGFENCE_TEST_CLUSTERS";

/// The cluster that it uses.
const CLUSTER: &str = "nightly";

/// Takes a cluster as runs on kind do, and notes which run uses it.
fn used(all: &Path, run: &str) -> ClusterFolder {
    let folder = ClusterFolder::take(all, CLUSTER).unwrap().expect("nobody else uses it");
    let (name, cni, run) = (CLUSTER.to_owned(), "kindnet@test".to_owned(), Some(run.to_owned()));
    folder.note(&State { name, cni, kept: false, ready: true, run }).unwrap();
    folder
}

/// Makes hosts, says so, and waits for ever.
pub(crate) fn play(run: &str) -> ExitCode {
    let _used = std::env::var_os(CLUSTERS).map(|all| used(all.as_ref(), run));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be built");
    runtime.block_on(async {
        let engine = Engine::connect().await.expect("the test has found it");
        let image = loaded(&engine).await.reference;
        let hosts = DockerHosts::new(engine, image, run, Vec::new());
        let _deployed = hosts.deploy(&[external("backup", &["203.0.113.7"])], &[]).await.unwrap();
        println!("made");
        std::future::pending::<ExitCode>().await
    })
}

/// Starts a run, and returns when it has made its hosts.
fn start(place: &Place, clusters: Option<&Path>) -> Child {
    let mut run = Command::new("/proc/self/exe");
    run.env(ROLE, &place.run).stdout(Stdio::piped());
    if let Some(clusters) = clusters {
        run.env(CLUSTERS, clusters);
    }
    let mut run = run.spawn().expect("this program can be started again");
    let mut line = String::new();
    BufReader::new(run.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "made\n");
    run
}

pub(crate) async fn by_a_killed_run(place: Place) {
    loaded(&place.engine).await;
    let mut run = start(&place, None);
    run.kill().unwrap();
    run.wait().unwrap();

    let other = Scope::Run(format!("{}-other", place.run));
    assert_eq!(prune(&place.engine, &other, false).await.unwrap(), Pruned::default());
    let scope = Scope::Run(place.run.clone());
    let pruned = prune(&place.engine, &scope, false).await.unwrap();
    let network = format!("ringfence-{}-0", place.run);
    assert_eq!(pruned.containers, [format!("{network}-backup")].into());
    assert_eq!(pruned.networks, [network].into());
    assert!(pruned.images.is_empty() && pruned.left.is_empty(), "{pruned:?}");
    assert_eq!(prune(&place.engine, &scope, false).await.unwrap(), Pruned::default());
}

/// `ringfence clusters prune`, with a `kind` that has nothing and state of the test's own.
fn command(state: &Path, arguments: &[&str]) -> Vec<String> {
    let kind = state.join("kind");
    std::fs::write(&kind, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&kind, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .args(["clusters", "prune"])
        .args(arguments)
        .env("XDG_STATE_HOME", state)
        .env("PATH", format!("{}:/usr/bin:/bin", state.display()))
        .output()
        .unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.success(), "{told}");
    String::from_utf8(ended.stdout).unwrap().lines().map(str::to_owned).collect()
}

pub(crate) async fn by_a_killed_run_and_found_by_the_command(place: Place) {
    loaded(&place.engine).await;
    let Place { engine, run } = &place;
    let there = async || runs(engine).await.unwrap().contains(run);
    let state = tempfile::tempdir().unwrap();
    let clusters = state.path().join("ringfence/clusters");
    let network = format!("ringfence-{run}-0");
    let removed = [
        format!("removed the container `{network}-backup`"),
        format!("removed the network `{network}`"),
    ];

    // What others have in this Engine is told as well.
    let own = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|line| line.contains(&**run) || line.contains(CLUSTER)).collect()
    };
    let mut process = start(&place, Some(&clusters));
    assert_eq!(
        own(command(state.path(), &[])),
        [format!(
            "left what the run `{run}` has in Docker, which is under way on `{CLUSTER}`: `--run {run}` removes it all the same"
        )]
    );
    assert!(there().await);
    process.kill().unwrap();
    process.wait().unwrap();
    let gone = [&removed[..], &[format!("removed `{CLUSTER}` (kindnet@test)")]].concat();
    assert_eq!(own(command(state.path(), &[])), gone);
    assert!(!there().await && !clusters.join(CLUSTER).exists());
    assert!(own(command(state.path(), &[])).is_empty());

    // A run of which nothing is noted here may be anybody's.
    let mut process = start(&place, None);
    assert_eq!(
        own(command(state.path(), &[])),
        [format!(
            "left what the run `{run}` has in Docker, of which nothing is noted here: `--run {run}` or `--unknown` removes it"
        )]
    );
    assert!(there().await);
    assert_eq!(command(state.path(), &["--run", run]), removed);
    assert!(!there().await);
    process.kill().unwrap();
    process.wait().unwrap();
}
