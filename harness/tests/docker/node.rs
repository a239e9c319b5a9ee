//! What is put into nodes: a container with a `ctr` that notes what it is given.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bollard::Docker;
use bollard::body_full;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{ImportImageOptions, RemoveImageOptions, StartContainerOptions};
use futures_util::TryStreamExt;
use ringfence::cluster::ClusterError;
use ringfence::cluster::docker::{AgentImage, Engine, RUN};
use ringfence::cluster::kind::{Action, AgentArchive, AgentBuilder, Hands, Machine, Told};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use crate::{Place, agent};

/// A static shell, as Debian's `busybox-static` has it.
const BUSYBOX: &str = "/bin/busybox";

/// Keeps the archive and its arguments, and refuses what begins with `bad`.
const CTR: &str = "#!/bin/busybox sh
/bin/busybox cat > /got
echo \"$@\" > /asked
if [ \"$(/bin/busybox head -c 3 /got)\" = bad ]; then
  echo 'ctr: archive/tar: invalid tar header' >&2
  exit 1
fi
";

/// Why there can be no such container here.
pub(crate) fn lacking() -> Option<String> {
    let bytes = std::fs::read(BUSYBOX).unwrap_or_default();
    // A dynamic executable names its interpreter in full.
    let dynamic =
        bytes.windows(10).any(|window| window == b"/ld-linux-" || window == b"ld-musl-x8");
    let lacks = bytes.is_empty() || dynamic;
    lacks.then(|| format!("there is no static `{BUSYBOX}` (Debian's `busybox-static`)"))
}

fn tar(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, mode, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(*mode);
        builder.append_data(&mut header, path, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Starts the container that stands for a node; returns its identifier.
async fn node(docker: &Docker, place: &Place, image: &str) -> String {
    let busybox = std::fs::read(BUSYBOX).unwrap();
    let layer = tar(&[
        ("bin/busybox", 0o755, &busybox),
        ("bin/ctr", 0o755, CTR.as_bytes()),
        ("opt/cni/bin/loopback", 0o755, b"kept"),
    ]);
    let config = json!({
        "architecture": agent().architecture.to_string(), "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex(&layer))] },
    });
    let config = config.to_string().into_bytes();
    let manifest = json!([{ "Config": "c.json", "RepoTags": [image], "Layers": ["l.tar"] }]);
    let manifest = manifest.to_string().into_bytes();
    let archive = tar(&[
        ("c.json", 0o644, &config),
        ("l.tar", 0o644, &layer),
        ("manifest.json", 0o644, &manifest),
    ]);
    let import =
        docker.import_image(ImportImageOptions::default(), body_full(archive.into()), None);
    import.try_collect::<Vec<_>>().await.unwrap();
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some([BUSYBOX, "sleep", "600"].map(str::to_owned).into()),
        labels: Some(HashMap::from([(RUN.to_owned(), place.run.clone())])),
        ..ContainerCreateBody::default()
    };
    let id = docker.create_container(None, body).await.unwrap().id;
    docker.start_container(&id, None::<StartContainerOptions>).await.unwrap();
    id
}

async fn read(engine: &Engine, node: &str, file: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut stream = engine.exec(node, &[BUSYBOX, "cat", file]).await.unwrap();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

struct Agent;

#[async_trait]
impl AgentBuilder for Agent {
    async fn build(&self) -> Result<AgentArchive, ClusterError> {
        let image = AgentImage::new(agent()).unwrap();
        Ok(AgentArchive { reference: image.reference, archive: image.archive })
    }
}

async fn perform(machine: &Machine, action: Action) -> Result<(), ClusterError> {
    machine.perform(&action, &Told::default()).await
}

pub(crate) async fn images_and_plugins(place: Place) {
    let docker = Docker::connect_with_defaults().unwrap();
    let image = format!("ringfence-test-node:{}", place.run);
    let id = node(&docker, &place, &image).await;
    put(&place, &id).await;
    docker.remove_container(&id, Some(forced())).await.unwrap();
    docker.remove_image(&image, None::<RemoveImageOptions>, None).await.unwrap();
}

fn forced() -> bollard::query_parameters::RemoveContainerOptions {
    bollard::query_parameters::RemoveContainerOptionsBuilder::default().force(true).build()
}

async fn put(place: &Place, id: &str) {
    let (engine, machine) = (&place.engine, Machine::new(Arc::new(Agent)));
    let nodes = || vec![id.to_owned()];
    perform(&machine, Action::LoadAgentImage { nodes: nodes() }).await.unwrap();
    let image = AgentImage::new(agent()).unwrap();
    assert!(read(engine, id, "/got").await == image.archive, "every byte arrives");
    assert_eq!(
        String::from_utf8(read(engine, id, "/asked").await).unwrap(),
        "--namespace=k8s.io images import --digests --snapshotter=overlayfs -\n"
    );

    let home = tempfile::tempdir().unwrap();
    let load = |name: &str, bytes: Option<&[u8]>| {
        let file = home.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&file, bytes).unwrap();
        }
        Action::LoadImage { image: "cni:1".to_owned(), file, nodes: nodes() }
    };
    perform(&machine, load("good.tar", Some(b"good"))).await.unwrap();
    assert_eq!(read(engine, id, "/got").await, b"good");
    let error = perform(&machine, load("bad.tar", Some(b"bad"))).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "an image cannot be loaded into `{id}`: `ctr images import` ended with Some(1): ctr: archive/tar: invalid tar header"
        )
    );
    let error = perform(&machine, load("none.tar", None)).await.unwrap_err().to_string();
    assert!(error.contains("`ringfence cni fetch --images` puts it there"), "{error}");

    let mut plugins = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut plugins, &tar(&[("bridge", 0o755, b"a plugin")])).unwrap();
    let file = home.path().join("plugins.tgz");
    std::fs::write(&file, plugins.finish().unwrap()).unwrap();
    perform(&machine, Action::UnpackPlugins { file, nodes: nodes() }).await.unwrap();
    let there = |name: &str| Path::new("/opt/cni/bin").join(name).display().to_string();
    assert_eq!(read(engine, id, &there("bridge")).await, b"a plugin");
    assert_eq!(read(engine, id, &there("loopback")).await, b"kept");
}
