//! kind's own configuration of a cluster.
//!
//! Its form is `kind.x-k8s.io/v1alpha4`:
//! <https://kind.sigs.k8s.io/docs/user/configuration/>. It is written as JSON, which is YAML,
//! so that no text can be taken for something else.

use serde_json::json;

use crate::cluster::cni::KindCluster;

/// The names of a cluster's nodes, the control plane first, as kind gives them.
pub(super) fn nodes(name: &str, workers: usize) -> Vec<String> {
    let worker = |number: usize| match number {
        1 => format!("{name}-worker"),
        _ => format!("{name}-worker{number}"),
    };
    std::iter::once(format!("{name}-control-plane")).chain((1..=workers).map(worker)).collect()
}

/// The text of the configuration.
///
/// # Errors
/// Never for what was read from a CNI file.
pub(super) fn config(name: &str, cluster: &KindCluster) -> Result<String, serde_json::Error> {
    let list =
        |nets: &[ipnet::IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let (v4, v6) = (
        cluster.pod_subnets.iter().any(|net| net.addr().is_ipv4()),
        cluster.pod_subnets.iter().any(|net| net.addr().is_ipv6()),
    );
    let family = match (v4, v6) {
        (true, true) => "dual",
        (false, true) => "ipv6",
        _ => "ipv4",
    };
    let nodes: Vec<_> = nodes(name, cluster.workers)
        .into_iter()
        .enumerate()
        .map(|(index, node)| {
            let labels: serde_json::Map<_, _> = cluster
                .node_labels
                .iter()
                .map(|(key, value)| (key.clone(), json!(value.replace("${NODE}", &node))))
                .collect();
            let mut entry = json!({ "role": if index == 0 { "control-plane" } else { "worker" } });
            if !labels.is_empty() {
                entry["labels"] = json!(labels);
            }
            entry
        })
        .collect();
    let config = json!({
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {
            "ipFamily": family,
            "podSubnet": list(&cluster.pod_subnets),
            "serviceSubnet": list(&cluster.service_subnets),
            "disableDefaultCNI": !cluster.default_cni,
            "kubeProxyMode": cluster.kube_proxy.as_str(),
        },
        "nodes": nodes,
    });
    Ok(serde_json::to_string_pretty(&config)? + "\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn nodes_are_named_as_kind_names_them() {
        assert_eq!(super::nodes("a", 3), ["a-control-plane", "a-worker", "a-worker2", "a-worker3"]);
    }
}
