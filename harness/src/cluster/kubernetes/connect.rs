//! A client from a kubeconfig, or, in a pod, from its service account.

use std::env;

use anyhow::{Context, Result, bail};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// What every pod is told of its cluster (`concepts/services-networking/service`,
/// "Environment variables").
const IN_POD: &str = "KUBERNETES_SERVICE_HOST";

/// A client for a context of the kubeconfig that `KUBECONFIG` names, or that is at
/// `~/.kube/config`; without a context for its current one. In a pod without a kubeconfig, where no context
/// is named, it is for the pod's own cluster, with the pod's service account. Nothing is sent yet.
///
/// # Errors
/// What was expected of the kubeconfig, with the contexts that it has, or of the pod.
pub async fn connect(context: Option<&str>) -> Result<Client> {
    match Kubeconfig::read() {
        Ok(kubeconfig) => client(kubeconfig, context).await,
        // A file that is named is meant.
        Err(_)
            if context.is_none()
                && env::var_os("KUBECONFIG").is_none()
                && env::var_os(IN_POD).is_some() =>
        {
            let config = Config::incluster().context(
                "expected the service account of this pod, found none that can be read: name one in the pod's `serviceAccountName`, and let its token be mounted",
            )?;
            built(config).context("the service account of this pod")
        }
        Err(error) => Err(error).context(
            "expected a kubeconfig where `KUBECONFIG` says or at `~/.kube/config`, found none that can be read: set `KUBECONFIG` to its file",
        ),
    }
}

fn built(mut config: Config) -> Result<Client> {
    // Calls are tried again here, within a deadline that tells what went wrong.
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

/// A client for a context of a kubeconfig, or for its current one.
///
/// # Errors
/// As [`connect`].
pub async fn client(kubeconfig: Kubeconfig, context: Option<&str>) -> Result<Client> {
    let contexts: Vec<String> =
        kubeconfig.contexts.iter().map(|context| format!("`{}`", context.name)).collect();
    let there = if contexts.is_empty() { "none".to_owned() } else { contexts.join(", ") };
    let current = kubeconfig.current_context.as_deref().filter(|name| !name.is_empty());
    let Some(name) = context.or(current) else {
        bail!(
            "expected the kubeconfig to have a current context, found none among {there}: name one, as in `--on kubeconfig:CONTEXT`"
        );
    };
    if !kubeconfig.contexts.iter().any(|context| context.name == name) {
        bail!("expected a context `{name}` in the kubeconfig, found {there}");
    }
    let name = name.to_owned();
    let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let of = || format!("context `{name}` of the kubeconfig");
    built(config.with_context(of)?).with_context(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig(current: &str) -> Kubeconfig {
        let text = serde_json::json!({
            "current-context": current,
            "clusters": [{"name": "here", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "me", "user": {"token": "t"}}],
            "contexts": [
                {"name": "staging", "context": {"cluster": "here", "user": "me"}},
                {"name": "broken", "context": {"cluster": "nowhere", "user": "me"}},
            ],
        });
        serde_json::from_value(text).unwrap()
    }

    #[tokio::test]
    async fn the_context_must_be_there() {
        for (current, context, message) in [
            (
                "",
                None,
                "expected the kubeconfig to have a current context, found none among `staging`, `broken`: name one, as in `--on kubeconfig:CONTEXT`",
            ),
            (
                "staging",
                Some("prod"),
                "expected a context `prod` in the kubeconfig, found `staging`, `broken`",
            ),
            ("staging", Some("broken"), "context `broken` of the kubeconfig"),
        ] {
            let error = client(kubeconfig(current), context).await.err().unwrap();
            assert_eq!(error.to_string(), message);
        }
        assert!(client(kubeconfig("staging"), None).await.is_ok());
        assert!(client(kubeconfig(""), Some("staging")).await.is_ok());
    }
}
