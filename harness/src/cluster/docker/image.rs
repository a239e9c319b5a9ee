//! The agent's image: one layer with one file, made here and the same for the same agent.

use std::fmt::Write as _;
use std::io;

use bollard::auth::DockerCredentials;
use bollard::body_full;
use bollard::query_parameters::{
    ImportImageOptionsBuilder, PushImageOptionsBuilder, TagImageOptionsBuilder,
};
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential};
use futures_util::TryStreamExt;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::agent_binary::AgentBinary;
use super::engine::{Engine, EngineError, refused};
use super::{AGENT_USER, KIND};

/// What an image should not exceed, in bytes.
pub const SIZE_TARGET: usize = 5 << 20;

/// The agent within the image.
const PATH: &str = "ringfence-agent";

/// What Docker Hub is called where credentials are kept.
const HUB: &str = "https://index.docker.io/v1/";

/// The agent's image, as an archive that `docker load`, `kind load image-archive` and
/// `ctr images import` take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentImage {
    /// Its name: `ringfence-agent:` with the first 12 digits of the agent's SHA-256.
    pub reference: String,
    /// The archive, in the form of `docker save`.
    pub archive: Vec<u8>,
    /// What it holds, in bytes.
    pub size: usize,
}

/// Whether an image had to be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    /// It had to.
    New,
    /// It was there.
    Already,
}

impl AgentImage {
    /// Makes the image of an agent.
    ///
    /// # Errors
    /// Never in practice: the archive is written to memory.
    pub fn new(agent: &AgentBinary) -> io::Result<Self> {
        let digest = hex(&agent.bytes);
        Self::named(agent, &format!("ringfence-agent:{}", &digest[..12]))
    }

    /// As [`AgentImage::new`], with a name of its own.
    ///
    /// # Errors
    /// As [`AgentImage::new`].
    pub fn named(agent: &AgentBinary, reference: &str) -> io::Result<Self> {
        let reference = reference.to_owned();
        let layer = archive(&[(PATH, 0o755, &agent.bytes)])?;
        let layer_digest = hex(&layer);
        // The OCI image configuration, which Docker reads too.
        let config = json!({
            "architecture": agent.architecture.to_string(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "Entrypoint": [format!("/{PATH}")],
                "User": format!("{AGENT_USER}:{AGENT_USER}"),
                "Labels": { KIND: "agent-image" },
            },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
            "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "ringfence image build" }],
        });
        let config = config.to_string().into_bytes();
        let config_path = format!("{}.json", hex(&config));
        let layer_path = format!("{layer_digest}/layer.tar");
        let manifest = json!([{
            "Config": config_path,
            "RepoTags": [reference],
            "Layers": [layer_path],
        }]);
        let archive = archive(&[
            (&config_path, 0o644, &config),
            (&layer_path, 0o644, &layer),
            ("manifest.json", 0o644, manifest.to_string().as_bytes()),
        ])?;
        Ok(Self { reference, archive, size: agent.bytes.len() })
    }

    /// Whether it is within what an image should not exceed.
    pub fn is_small(&self) -> bool {
        self.size <= SIZE_TARGET
    }
}

/// A tar archive that is the same whenever it is made.
fn archive(files: &[(&str, u32, &[u8])]) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, mode, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(*mode);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        builder.append_data(&mut header, path, *bytes)?;
    }
    builder.into_inner()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a text never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The name and the tag of a reference such as `host:5000/team/agent:1`.
fn parts(reference: &str) -> (&str, &str) {
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

/// The registry of a reference, as it is called where credentials are kept: its first part if it
/// looks like a host, and Docker Hub otherwise.
fn registry(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => HUB,
    }
}

/// Why an image was not pushed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The Engine refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Credentials are configured, and cannot be had.
    #[error("cannot read the credentials for `{registry}`: run `docker login {registry}`")]
    Credentials {
        /// Whose.
        registry: String,
        /// Why not.
        source: CredentialRetrievalError,
    },
}

impl Engine {
    /// Whether an image of this name is there.
    ///
    /// # Errors
    /// Where the Engine does not say.
    pub async fn has_image(&self, reference: &str) -> Result<bool, EngineError> {
        let found = self.api.inspect_image(reference).await;
        match found.map_err(refused(format!("look for the image `{reference}`"))) {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Loads an image where none of its name is there yet. The name that an image has by itself
    /// says what it holds; one that was chosen does not.
    ///
    /// # Errors
    /// Where the Engine refuses it.
    pub async fn load(&self, image: &AgentImage) -> Result<Loaded, EngineError> {
        if self.has_image(&image.reference).await? {
            return Ok(Loaded::Already);
        }
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        let body = body_full(image.archive.clone().into());
        let answer: Vec<_> = self
            .api
            .import_image(options, body, None)
            .try_collect()
            .await
            .map_err(refused(format!("load the image `{}`", image.reference)))?;
        drop(answer);
        Ok(Loaded::New)
    }

    /// Gives an image another name.
    ///
    /// # Errors
    /// Where the Engine refuses it.
    pub async fn tag(&self, from: &str, to: &str) -> Result<(), EngineError> {
        let (name, tag) = parts(to);
        let options = TagImageOptionsBuilder::default().repo(name).tag(tag).build();
        let tagged = self.api.tag_image(from, Some(options)).await;
        tagged.map_err(refused(format!("tag the image `{from}` as `{to}`")))
    }

    /// Pushes an image to its registry, with the credentials that `docker login` keeps.
    ///
    /// # Errors
    /// Where the Engine or the registry refuses it, or credentials cannot be read.
    pub async fn push(&self, reference: &str) -> Result<(), PushError> {
        let (name, tag) = parts(reference);
        let options = PushImageOptionsBuilder::default().tag(tag).build();
        let pushed = self.api.push_image(name, Some(options), credentials(reference)?);
        let _: Vec<_> =
            pushed.try_collect().await.map_err(refused(format!("push the image `{reference}`")))?;
        Ok(())
    }
}

/// What `docker login` keeps for the registry; `None` where nobody has logged in.
fn credentials(reference: &str) -> Result<Option<DockerCredentials>, PushError> {
    let registry = registry(reference);
    let serveraddress = Some(registry.to_owned());
    match get_credential(registry) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(Some(DockerCredentials {
            username: Some(user),
            password: Some(password),
            serveraddress,
            ..DockerCredentials::default()
        })),
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(DockerCredentials {
            identitytoken: Some(token),
            serveraddress,
            ..DockerCredentials::default()
        })),
        Err(
            CredentialRetrievalError::NoCredentialConfigured
            | CredentialRetrievalError::ConfigNotFound,
        ) => Ok(None),
        Err(source) => Err(PushError::Credentials { registry: registry.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::cluster::docker::architecture::Architecture;

    #[test]
    fn the_same_agent_makes_the_same_image() {
        let agent = AgentBinary { bytes: b"agent".to_vec(), architecture: Architecture::Arm64 };
        let image = AgentImage::new(&agent).unwrap();
        assert_eq!(AgentImage::new(&agent).unwrap(), image);
        assert_eq!(image.reference, "ringfence-agent:d4f0bc5a29de");
        let mut archive = tar::Archive::new(image.archive.as_slice());
        let mut files = std::collections::BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            assert_eq!(entry.header().mtime().unwrap(), 0);
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(entry.path().unwrap().to_str().unwrap().to_owned(), bytes);
        }
        let manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        assert_eq!(manifest[0]["RepoTags"], json!([image.reference]));
        let config = &files[manifest[0]["Config"].as_str().unwrap()];
        let config: serde_json::Value = serde_json::from_slice(config).unwrap();
        assert_eq!(config["architecture"], "arm64");
        let layer = &files[manifest[0]["Layers"][0].as_str().unwrap()];
        assert_eq!(config["rootfs"]["diff_ids"], json!([format!("sha256:{}", hex(layer))]));
        let mut layer = tar::Archive::new(layer.as_slice());
        let modes: Vec<_> =
            layer.entries().unwrap().map(|entry| entry.unwrap().header().mode().unwrap()).collect();
        assert_eq!(modes, [0o755]);
    }

    #[test]
    fn references_are_taken_apart_as_docker_does() {
        for (reference, name, tag, host) in [
            ("agent", "agent", "latest", HUB),
            ("team/agent:1", "team/agent", "1", HUB),
            ("localhost:5000/agent", "localhost:5000/agent", "latest", "localhost:5000"),
            ("ghcr.io/team/agent:v1", "ghcr.io/team/agent", "v1", "ghcr.io"),
        ] {
            assert_eq!((parts(reference), registry(reference)), ((name, tag), host));
        }
    }
}
