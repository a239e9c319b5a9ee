//! `ringfence rbac`.

use anyhow::anyhow;

use super::args::Rbac;
use super::failure::Failure;
use super::screen;
use crate::cluster::kubernetes::role::{Request, yaml};
use crate::exit::ExitCode;

/// Prints the least role.
pub(super) fn rbac(args: Rbac) -> Result<ExitCode, Failure> {
    let pull_secret = args.agent_pull_secret.as_deref().map(secret).transpose()?;
    let cluster_scoped = args.allow_cluster_scoped;
    let request =
        Request { name: args.name, namespace: args.namespace, cluster_scoped, pull_secret };
    let text = yaml(&request).map_err(Failure::untold)?;
    screen::print(text.as_bytes())?;
    Ok(ExitCode::Passed)
}

fn secret(text: &str) -> Result<(String, String), Failure> {
    let parts = text.split_once('/');
    let is_name = |name: &str| !name.is_empty() && !name.contains('/');
    match parts.filter(|(namespace, name)| is_name(namespace) && is_name(name)) {
        Some((namespace, name)) => Ok((namespace.to_owned(), name.to_owned())),
        None => Err(Failure::usage(anyhow!(
            "expected a secret as `NAMESPACE/NAME` after `--agent-pull-secret`, found `{text}`"
        ))),
    }
}
