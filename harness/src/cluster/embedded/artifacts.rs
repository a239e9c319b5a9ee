//! What a cluster is made of, in words, for failure bundles.

use std::fmt::Write as _;

use anyhow::Context as _;

use super::deployment::Deployment;
use crate::cluster::Artifact;

impl Deployment {
    /// Every endpoint with its node and addresses, the Services, the policies in force, and what is
    /// installed on every node.
    pub(super) fn describe(&self) -> anyhow::Result<Vec<Artifact>> {
        let mut artifacts =
            vec![Artifact { path: "endpoints.txt".to_owned(), text: self.endpoints() }];
        if let Some(text) = self.service_lines() {
            artifacts.push(Artifact { path: "services.txt".to_owned(), text });
        }
        for (name, policy) in &self.world.policies {
            let text = serde_json::to_string_pretty(&policy.manifest)
                .with_context(|| format!("write the policy `{name}`"))?;
            let path = format!("policies/{}-{}.json", name.namespace, name.name);
            artifacts.push(Artifact { path, text: text + "\n" });
        }
        artifacts.extend(self.filters.iter().map(|filter| {
            let (node, text) = filter.describe();
            Artifact { path: format!("nodes/{node}/ruleset.txt"), text }
        }));
        Ok(artifacts)
    }

    /// Where Services lead, by the pod; `None` where no round asked for one.
    fn service_lines(&self) -> Option<String> {
        let mut text = String::new();
        for (pod, service) in self.services.iter() {
            let _ = write!(text, "{pod}\n{service}");
        }
        (!text.is_empty()).then_some(text)
    }

    fn endpoints(&self) -> String {
        let topology = self.topology();
        let mut text = String::new();
        let mut line = |name: &dyn std::fmt::Display, node: Option<&str>, addresses: &[_]| {
            let _ = write!(text, "{name}");
            if let Some(node) = node {
                let _ = write!(text, " on {node}");
            }
            for address in addresses {
                let _ = write!(text, " {address}");
            }
            text.push('\n');
        };
        for (name, node) in &topology.nodes {
            line(&format!("node/{name}"), None, &node.addresses);
        }
        for (name, pod) in &topology.pods {
            line(name, pod.node.as_deref(), &pod.addresses);
        }
        for (name, host) in &topology.externals {
            line(name, None, &host.addresses);
        }
        text
    }
}
