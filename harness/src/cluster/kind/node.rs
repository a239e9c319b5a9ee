//! Docker, as far as a kind cluster needs it beside `kind`: its network, and what is put
//! into its nodes, which are containers.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use async_trait::async_trait;
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error as ApiError;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use bollard::query_parameters::{CreateImageOptionsBuilder, UploadToContainerOptionsBuilder};
use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::sync::Mutex;

use super::agent::{AgentArchive, AgentBuilder};
use super::execute::Told;
use crate::cluster::ClusterError;

/// The range that kind itself gives its network: it comes from the network's name
/// (`generateULASubnetFromName` in kind's sources).
const KIND_IPV6: &str = "fc00:f853:ccd:e793::/64";

/// Reaches Docker Engine, where `DOCKER_HOST` says or at its usual place.
///
/// # Errors
/// What to do where it does not answer.
pub async fn reach() -> Result<Docker, ClusterError> {
    let remedy =
        "start it (`systemctl start docker`), and see that you may use it (the group `docker`)";
    let missing = |error: ApiError| {
        ClusterError::Unsupported(format!(
            "expected Docker Engine to answer, found: {error}; {remedy}"
        ))
    };
    let docker = Docker::connect_with_defaults().map_err(missing)?;
    docker.ping().await.map_err(missing)?;
    Ok(docker)
}

/// Makes the network that kind would make, unless there is one of the name. Several clusters
/// that start at once would each make it (kubernetes-sigs/kind#1596).
///
/// # Errors
/// What Docker says.
pub(super) async fn ensure_network(docker: &Docker, name: &str) -> anyhow::Result<()> {
    // Docker takes two networks of one name: one at a time looks and makes.
    static MAKING: Mutex<()> = Mutex::const_new(());
    let _one = MAKING.lock().await;
    match docker.inspect_network(name, None).await {
        Ok(_) => return Ok(()),
        Err(ApiError::DockerResponseServerError { status_code: 404, .. }) => {}
        Err(error) => return Err(error).context("Docker does not show its networks"),
    }
    let request = |ipv6: bool| NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        enable_ipv6: Some(ipv6),
        ipam: ipv6.then(|| Ipam {
            config: Some(vec![IpamConfig {
                subnet: Some(KIND_IPV6.to_owned()),
                ..IpamConfig::default()
            }]),
            ..Ipam::default()
        }),
        options: Some(HashMap::from([(
            "com.docker.network.bridge.enable_ip_masquerade".to_owned(),
            "true".to_owned(),
        )])),
        ..NetworkCreateRequest::default()
    };
    // Without IPv6 on the machine, as kind does it: nodes then have IPv4 alone.
    let with_ipv6 = docker.create_network(request(true)).await;
    if let Err(error) = with_ipv6 {
        docker.create_network(request(false)).await.with_context(|| {
            format!("Docker makes no network `{name}`, with IPv6 ({error}) or without")
        })?;
    }
    Ok(())
}

/// The IPv4 address of a node on kind's network.
///
/// # Errors
/// Where it has none.
pub(super) async fn address(docker: &Docker, node: &str) -> anyhow::Result<String> {
    let found = docker.inspect_container(node, None).await;
    let found = found.with_context(|| format!("Docker does not show the node `{node}`"))?;
    let networks = found.network_settings.and_then(|settings| settings.networks);
    let addresses = networks.into_iter().flatten().filter_map(|(_, end)| end.ip_address);
    let address = addresses.into_iter().find(|address| !address.is_empty());
    address.with_context(|| format!("expected an IPv4 address of the node `{node}`, found none"))
}

/// Loads an image's archive into a node's own store, which is not Docker's
/// (kubernetes-sigs/kind#2808). Only the node's platform is taken: others may be missing
/// from the archive (kubernetes-sigs/kind#3795).
///
/// # Errors
/// What `ctr` says.
pub(super) async fn load(
    docker: &Docker,
    node: &str,
    archive: impl AsyncRead + Unpin + Send,
    told: &Told,
) -> anyhow::Result<()> {
    let command = [
        "ctr",
        "--namespace=k8s.io",
        "images",
        "import",
        "--digests",
        "--snapshotter=overlayfs",
        "-",
    ];
    let exec = CreateExecOptions {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(command.to_vec()),
        ..CreateExecOptions::default()
    };
    let failed = || format!("an image cannot be loaded into `{node}`");
    let exec = docker.create_exec(node, exec).await.with_context(failed)?.id;
    let StartExecResults::Attached { mut output, mut input } =
        docker.start_exec(&exec, None).await.with_context(failed)?
    else {
        return Err(anyhow!("expected the streams of `ctr` in `{node}`, found none"));
    };
    let mut archive = archive;
    let send = async {
        // Where `ctr` ends before it has read all of it, what it says tells more.
        let sent = tokio::io::copy(&mut archive, &mut input).await;
        let ended = input.shutdown().await;
        sent.and(ended)
    };
    let listen = async {
        let mut said = Vec::new();
        while let Some(Ok(part)) = output.next().await {
            if let LogOutput::StdErr { message } | LogOutput::StdOut { message } = part {
                said.extend_from_slice(&message);
                told.tell(String::from_utf8_lossy(&message).trim());
            }
        }
        String::from_utf8_lossy(&said).trim().to_owned()
    };
    let (sent, said) = tokio::join!(send, listen);
    match docker.inspect_exec(&exec).await.with_context(failed)?.exit_code {
        Some(0) => sent.with_context(failed),
        code => bail!("{}: `ctr images import` ended with {code:?}: {said}", failed()),
    }
}

/// Unpacks an archive in a node's folder.
///
/// # Errors
/// What Docker says.
pub(super) async fn unpack(
    docker: &Docker,
    node: &str,
    archive: &Path,
    folder: &str,
) -> anyhow::Result<()> {
    let bytes = tokio::fs::read(archive).await;
    let bytes = bytes.with_context(|| format!("`{}` cannot be read", archive.display()))?;
    let options = UploadToContainerOptionsBuilder::default().path(folder).build();
    // The Engine takes archives that are compressed with gzip as they are.
    let done = docker.upload_to_container(node, Some(options), bollard::body_full(bytes.into()));
    done.await.with_context(|| {
        format!("`{}` cannot be unpacked in `{folder}` of `{node}`", archive.display())
    })
}

/// The archive of an image that Docker has, as `docker save` writes it.
///
/// # Errors
/// Where Docker does not have it.
pub async fn saved(docker: &Docker, image: &str) -> anyhow::Result<Vec<u8>> {
    let mut archive = Vec::new();
    let mut parts = std::pin::pin!(docker.export_image(image));
    while let Some(part) = parts.next().await {
        let part = part.with_context(|| format!("Docker does not give the image `{image}`"))?;
        archive.extend_from_slice(&part);
    }
    Ok(archive)
}

/// Pulls an image into Docker.
///
/// # Errors
/// What Docker or the registry says.
pub async fn pull(docker: &Docker, image: &str) -> anyhow::Result<()> {
    let options = CreateImageOptionsBuilder::default().from_image(image).build();
    let mut parts = std::pin::pin!(docker.create_image(Some(options), None, None));
    while let Some(part) = parts.next().await {
        part.with_context(|| format!("the image `{image}` cannot be pulled"))?;
    }
    Ok(())
}

/// An agent's image that Docker has already, by its name.
#[derive(Debug, Clone)]
pub struct DockerImage(pub String);

#[async_trait]
impl AgentBuilder for DockerImage {
    async fn build(&self) -> Result<AgentArchive, ClusterError> {
        let archive = saved(&reach().await?, &self.0).await?;
        Ok(AgentArchive { reference: self.0.clone(), archive })
    }
}
