//! What a run that was killed leaves behind.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use ringfence::cluster::docker::{DockerHosts, Engine, ExternalHosts, Pruned, Scope, prune};

use crate::hosts::external;
use crate::{Place, loaded};

/// Says as which run this program is to make something and wait to be killed.
pub(crate) const ROLE: &str = "RINGFENCE_TEST_RUN";

/// Makes hosts, says so, and waits for ever.
pub(crate) fn play(run: &str) -> ExitCode {
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

pub(crate) async fn by_a_killed_run(place: Place) {
    loaded(&place.engine).await;
    let mut run = Command::new("/proc/self/exe")
        .env(ROLE, &place.run)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started again");
    let mut line = String::new();
    BufReader::new(run.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "made\n");
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
