//! A cluster that stood for one scenario becomes that of the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ringfence::cluster::embedded::{EmbeddedOptions, EmbeddedSource};
use ringfence::cluster::{Cluster, ClusterError, Round, Source};
use ringfence::model::{Change, Name, Outcome, PodName, Protocol, Topology};
use ringfence::scenario::{LoadOptions, Scenario, parse_folder};

use crate::Outcome as Trial;
use crate::town::*;

const TCP: &[(u16, Protocol)] = &[(80, Protocol::Tcp)];
const SCENARIO: &str = "
name: N
about: It is about what stands.
topology:
  namespaces:
    a: { pods: { one: { ports: [80] }, two: { ports: [80] }, three: { ports: [PORT] } } }
  external:
    shop: { addresses: [198.51.100.7], ports: [80] }
steps:
  - name: nothing
    expect: [allow * -> *]
";

fn scenario(name: &str, port: &str) -> Scenario {
    let text = SCENARIO.replace("name: N", &format!("name: {name}")).replace("PORT", port);
    let files = BTreeMap::from([("scenario.yaml".to_owned(), text)]);
    let (scenario, findings) = parse_folder(name, &files, &LoadOptions::default());
    scenario.unwrap_or_else(|| panic!("{findings:?}"))
}

async fn all_connect(cluster: &mut dyn Cluster, topology: &Topology) -> Result<(), ClusterError> {
    let cells = all_cells(topology, cluster.capabilities());
    let round = Round { cells: cells.clone(), deadline: Duration::from_secs(1) };
    for (cell, seen) in cells.iter().zip(cluster.probe(&round).await?) {
        assert_eq!(seen.outcome, Outcome::Connected, "{cell}");
    }
    Ok(())
}

async fn deploy(
    source: &EmbeddedSource,
    scenario: &Scenario,
) -> Result<(Box<dyn Cluster>, Topology), ClusterError> {
    let mut cluster = source.cluster(scenario).await?;
    let beside = |nodes: &[Name]| {
        let on = |node: &Name| Some(node.clone());
        let pods = nodes.iter().map(|node| pod("w", &format!("on-{node}"), TCP));
        let pods =
            pods.zip(nodes).map(|(pod, node)| ringfence::model::Pod { node: on(node), ..pod });
        std::iter::once(Change::AddNamespace(namespace("w")))
            .chain(pods.map(Change::AddPod))
            .collect()
    };
    let topology = cluster.deploy_beside(&scenario.topology, 2, &[], &beside).await?;
    Ok((cluster, topology))
}

async fn end(mut cluster: Box<dyn Cluster>) {
    cluster.teardown().await.expect("it is torn down");
}

/// Policies, labels, pods that came and went, Services and changed ports leave no trace.
pub(crate) async fn renewed_is_as_new() -> Trial {
    let source = EmbeddedSource::new(EmbeddedOptions::default());
    let (mut cluster, _) = deploy(&source, &scenario("first", "80")).await?;
    cluster
        .change(&[
            Change::ApplyPolicy(Arc::new(deny_all("a"))),
            Change::RemovePod(PodName::new("a", "one")),
            Change::AddPod(pod("a", "one", TCP)),
            Change::AddPod(pod("a", "four", TCP)),
            Change::EndPod(PodName::new("a", "two")),
            Change::AddNamespace(namespace("b")),
        ])
        .await?;
    assert_eq!(source.standing_by(), 0);
    end(cluster).await;
    assert_eq!(source.standing_by(), 1, "it is kept");
    let (mut renewed, found) = deploy(&source, &scenario("second", "81")).await?;
    assert_eq!(source.standing_by(), 0, "the second scenario has the first one's cluster");
    let other = EmbeddedSource::new(EmbeddedOptions::default());
    let (fresh, expected) = deploy(&other, &scenario("second", "81")).await?;
    assert_eq!(found, expected, "renewed, and made anew");
    all_connect(&mut *renewed, &found).await?;
    end(renewed).await;
    end(fresh).await;
    source.close().await.expect("nothing is left");
    other.close().await.expect("nothing is left");
    assert_eq!(source.standing_by(), 0, "a closed source has no cluster");
    Ok(())
}

/// A cluster in which something went wrong serves nobody else.
pub(crate) async fn a_spoilt_one_is_not_renewed() -> Trial {
    let source = EmbeddedSource::new(EmbeddedOptions::default());
    let (mut cluster, _) = deploy(&source, &scenario("first", "80")).await?;
    let nobody = Change::RemovePod(PodName::new("a", "nobody"));
    cluster.change(&[nobody]).await.expect_err("there is no such pod");
    end(cluster).await;
    assert_eq!(source.standing_by(), 0, "it was ended");
    Ok(())
}
