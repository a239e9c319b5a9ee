//! Hosts outside of a kind cluster: containers beside its nodes, which are containers too.

use std::sync::Arc;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use super::execute::Told;
use super::plan::Plan;
use super::retry::retry;
use crate::cluster::ClusterError;
use crate::cluster::docker::{DockerHosts, Engine, NodeContainer};
use crate::cluster::kubernetes::Outside;
use crate::cluster::kubernetes::owner::RunId;

/// What makes hosts outside of a plan's cluster, of the agent's image.
///
/// # Errors
/// Where the cluster does not show its nodes.
pub(super) async fn outside(
    client: &Client,
    engine: &Engine,
    plan: &Plan,
    image: &str,
    run: &RunId,
) -> Result<Outside, ClusterError> {
    let api: Api<Node> = Api::all(client.clone());
    let params = ListParams::default();
    let found = retry("the list of nodes", &Told::default(), false, || api.list(&params)).await?;
    let nodes = containers(&plan.nodes, &plan.pods, &found.items);
    let hosts = DockerHosts::new(engine.clone(), image, run.as_str(), nodes);
    let avoid = plan.pods.iter().chain(&plan.services).copied().collect();
    Ok(Outside { hosts: Arc::new(hosts), avoid })
}

/// The nodes with the pods that are reached by each: those of its own range, as the API has it
/// (`core/v1` `NodeSpec.podCIDRs`). CNIs that give out addresses by themselves have pods
/// elsewhere in the cluster's ranges, and forward between their nodes: what is in no node's
/// range goes to the last node, which is a worker.
fn containers(names: &[String], pods: &[IpNet], found: &[Node]) -> Vec<NodeContainer> {
    let own = |name: &String| -> Vec<IpNet> {
        let node = found.iter().find(|node| node.name_any() == *name);
        let spec = node.and_then(|node| node.spec.as_ref());
        let ranges = spec.and_then(|spec| spec.pod_cidrs.as_ref()).into_iter().flatten();
        ranges.filter_map(|range| range.parse().ok()).collect()
    };
    let last = names.len().saturating_sub(1);
    let each = names.iter().enumerate().map(|(index, name)| {
        let rest = pods.iter().filter(|_| index == last).copied();
        NodeContainer { container: name.clone(), pods: own(name).into_iter().chain(rest).collect() }
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_node_has_its_own_range_and_the_last_one_what_is_left() {
        let node = |name: &str, ranges: &[&str]| -> Node {
            serde_json::from_value(
                json!({ "metadata": { "name": name }, "spec": { "podCIDRs": ranges } }),
            )
            .unwrap()
        };
        let found = [node("b", &["10.244.1.0/24", "fd00::/64"]), node("a", &["10.244.0.0/24"])];
        let names = ["a", "b"].map(str::to_owned);
        let nodes = containers(&names, &["10.244.0.0/16".parse().unwrap()], &found);
        let shown: Vec<String> = nodes
            .iter()
            .map(|node| {
                let pods: Vec<String> = node.pods.iter().map(IpNet::to_string).collect();
                format!("{}: {}", node.container, pods.join(" "))
            })
            .collect();
        assert_eq!(shown, ["a: 10.244.0.0/24", "b: 10.244.1.0/24 fd00::/64 10.244.0.0/16"]);
        // Before the API has given any range, everything goes by the last one.
        let nodes = containers(&names, &["10.244.0.0/16".parse().unwrap()], &[]);
        assert!(nodes[0].pods.is_empty() && nodes[1].pods.len() == 1);
    }
}
