//! Containers of the agent's image.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use bollard::container::LogOutput;
use bollard::errors::Error as ApiError;
use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, NetworkingConfig,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    StartContainerOptions, WaitContainerOptions,
};
use futures_util::{StreamExt, TryStreamExt};
use ringfence_probe::agent::network::NetworkPlan;

use super::engine::{Engine, EngineError, refused, status};
use super::{AGENT_USER, KIND, RUN};

/// What a container is, besides its image.
#[derive(Debug, Clone)]
pub(super) struct Spec<'a> {
    /// The run's name.
    pub(super) run: &'a str,
    /// What it is called; `None` where nobody asks for it by name.
    pub(super) name: Option<&'a str>,
    /// The value of the label [`KIND`].
    pub(super) kind: &'a str,
    /// The agent's image.
    pub(super) image: &'a str,
    /// The agent's arguments.
    pub(super) arguments: Vec<String>,
    /// The network that it is on: a name, or `container:ID`.
    pub(super) network: &'a str,
    /// Its address there; `None` where Docker may choose, or has none to give.
    pub(super) address: Option<Ipv4Addr>,
}

impl Spec<'_> {
    fn body(self, user: i64, host: HostConfig) -> ContainerCreateBody {
        let labels = [(RUN, self.run), (KIND, self.kind)];
        let endpoint = self.address.map(|address| {
            let ipam = EndpointIpamConfig {
                ipv4_address: Some(address.to_string()),
                ..EndpointIpamConfig::default()
            };
            let settings =
                EndpointSettings { ipam_config: Some(ipam), ..EndpointSettings::default() };
            HashMap::from([(self.network.to_owned(), settings)])
        });
        ContainerCreateBody {
            image: Some(self.image.to_owned()),
            cmd: Some(self.arguments),
            user: Some(format!("{user}:{user}")),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            host_config: Some(HostConfig {
                network_mode: Some(self.network.to_owned()),
                readonly_rootfs: Some(true),
                cap_drop: Some(vec!["ALL".to_owned()]),
                security_opt: Some(vec!["no-new-privileges".to_owned()]),
                ..host
            }),
            networking_config: Some(NetworkingConfig { endpoints_config: endpoint }),
            ..ContainerCreateBody::default()
        }
    }
}

impl Engine {
    /// Starts an agent that serves: not root, no capabilities, nothing that it could write to,
    /// and ports below 1024 by `net.ipv4.ip_unprivileged_port_start`. Returns its identifier.
    pub(super) async fn serve(&self, spec: Spec<'_>, ipv6: bool) -> Result<String, EngineError> {
        let mut sysctls =
            HashMap::from([("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned())]);
        if ipv6 {
            // Docker switches IPv6 off where its own network has none.
            for which in ["all", "default"] {
                let name = format!("net.ipv6.conf.{which}.disable_ipv6");
                sysctls.insert(name, "0".to_owned());
            }
        }
        let host = HostConfig { sysctls: Some(sysctls), ..HostConfig::default() };
        self.start(spec.name, spec.clone().body(AGENT_USER, host)).await
    }

    /// Carries out a plan in the network that another container has, as a container of its own
    /// that has the one capability which this needs.
    pub(super) async fn configure(
        &self,
        run: &str,
        image: &str,
        container: &str,
        plan: &NetworkPlan,
    ) -> Result<(), EngineError> {
        // A plan is names, numbers and addresses: it always has a JSON form.
        let plan = serde_json::to_string(plan).unwrap_or_default();
        let network = format!("container:{container}");
        let spec = Spec {
            run,
            name: None,
            kind: "configuration",
            image,
            arguments: vec!["network".to_owned(), plan],
            network: &network,
            address: None,
        };
        let host =
            HostConfig { cap_add: Some(vec!["NET_ADMIN".to_owned()]), ..HostConfig::default() };
        let command = format!("ringfence-agent {}", spec.arguments.join(" "));
        let id = self.start(None, spec.body(0, host)).await?;
        let ended = self.end_of(&id, command).await;
        self.remove_container(&id).await?;
        ended
    }

    /// Creates and starts a container.
    async fn start(
        &self,
        name: Option<&str>,
        body: ContainerCreateBody,
    ) -> Result<String, EngineError> {
        let what = format!("create a container of `{}`", body.image.as_deref().unwrap_or_default());
        let options = name.map(|name| CreateContainerOptionsBuilder::default().name(name).build());
        let id = self.api.create_container(options, body).await.map_err(refused(what))?.id;
        match self.api.start_container(&id, None::<StartContainerOptions>).await {
            Ok(()) => Ok(id),
            Err(error) => {
                // What is left is found by its label, should this fail too.
                let _ = self.remove_container(&id).await;
                Err(refused("start a container")(error))
            }
        }
    }

    /// Waits until a container's process has ended well.
    async fn end_of(&self, id: &str, command: String) -> Result<(), EngineError> {
        let waited: Result<Vec<_>, ApiError> =
            self.api.wait_container(id, None::<WaitContainerOptions>).try_collect().await;
        match waited {
            Ok(_) => Ok(()),
            Err(ApiError::DockerContainerWaitError { code, .. }) => {
                Err(EngineError::Failed { command, code, said: self.said(id).await })
            }
            Err(error) => Err(refused("wait for a container's end")(error)),
        }
    }

    /// What a container's process said on standard error.
    async fn said(&self, id: &str) -> String {
        let options = LogsOptionsBuilder::default().stderr(true).stdout(true).build();
        let lines = self.api.logs(id, Some(options));
        let lines = lines.map(|line| line.as_ref().map(LogOutput::to_string).unwrap_or_default());
        lines.collect::<String>().await.trim().to_owned()
    }

    /// Removes a container, running or not; one that is gone, or going, is removed.
    pub(super) async fn remove_container(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        match self.api.remove_container(id, Some(options)).await {
            Err(error) if !matches!(status(&error), Some(404 | 409)) => {
                Err(refused(format!("remove the container `{id}`"))(error))
            }
            _ => Ok(()),
        }
    }
}
