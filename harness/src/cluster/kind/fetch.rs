//! Files from the network or at hand, with their checksums.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::execute::Told;
use crate::cluster::cni::{Asset, Place};

/// No manifest, chart or archive of plugins comes near.
const LARGEST: u64 = 256 << 20;
const CONNECT: Duration = Duration::from_secs(15);
/// A server that sends nothing for so long has gone.
const SILENCE: Duration = Duration::from_secs(30);
const REDIRECTS: usize = 5;

/// What was got.
#[derive(Debug)]
pub struct Fetched {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// Gets a file: from a place at hand if there is one, else from where it is, and checks
/// that it has the checksum that is pinned, if one is.
///
/// # Errors
/// Where it cannot be had, or is another.
pub async fn fetch(
    asset: &Asset,
    at_hand: Option<&Path>,
    arch: &str,
    told: &Told,
) -> anyhow::Result<Fetched> {
    let (shown, bytes) = match (at_hand, &asset.place) {
        (Some(path), _) => {
            let read = tokio::fs::read(path).await.with_context(|| {
                format!(
                    "expected a file at `{}`: `ringfence cni fetch --manifests` puts it there",
                    path.display()
                )
            });
            (path.display().to_string(), read?)
        }
        (None, Place::File(path)) => {
            let read = tokio::fs::read(path).await;
            (
                path.display().to_string(),
                read.with_context(|| format!("expected a file at `{}`", path.display()))?,
            )
        }
        (None, Place::Url(url)) => {
            let url = url.replace("${ARCH}", arch);
            let bytes = download(&url, told).await;
            (url.clone(), bytes.with_context(|| format!("`{url}` cannot be fetched"))?)
        }
    };
    let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if let Ok(pinned) = &asset.sha256
        && *pinned != sha256
    {
        bail!(
            "expected sha256 {pinned} of `{shown}`, found {sha256}: it is not the file that was \
             pinned; if it is the one you want, put its checksum in the CNI file"
        );
    }
    Ok(Fetched { bytes, sha256 })
}

async fn download(url: &str, told: &Told) -> anyhow::Result<Vec<u8>> {
    // It fails where the process has one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .https_only(true)
        .redirect(reqwest::redirect::Policy::limited(REDIRECTS))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .user_agent(concat!("ringfence/", env!("CARGO_PKG_VERSION")))
        .build()?;
    let response = client.get(url).send().await?.error_for_status()?;
    let mut bytes = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(part) = body.next().await {
        bytes.extend_from_slice(&part?);
        told.tell(format!("{} bytes", bytes.len()));
        if bytes.len() as u64 > LARGEST {
            bail!("expected at most {LARGEST} bytes, found more");
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_must_be_the_one_that_was_pinned() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        std::fs::write(&path, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let mut asset = Asset { place: Place::File(path.clone()), sha256: Ok(sum.to_owned()) };
        let told = Told::default();
        assert_eq!(fetch(&asset, None, "amd64", &told).await.unwrap().sha256, sum);
        asset.sha256 = Ok(sum.replace('b', "c"));
        let error = fetch(&asset, None, "amd64", &told).await.unwrap_err().to_string();
        assert!(error.contains("found ba7816bf"), "{error}");
        let absent = folder.path().join("b.yaml");
        let error = fetch(&asset, Some(&absent), "amd64", &told).await.unwrap_err().to_string();
        assert!(error.contains("`ringfence cni fetch --manifests` puts it there"), "{error}");
    }
}
