//! `ringfence cni`: the catalogue, and its files on disk.

use std::path::Path;

use anyhow::{Context, Result};

use super::cluster_args::{Cni, CniCommand, Files};
use super::failure::Failure;
use super::screen;
use crate::cluster::cni::{Catalogue, CniChoice, Place};
use crate::cluster::kind::{Told, asset_path, fetch, host_arch, image_path, pull, reach, saved};
use crate::exit::ExitCode;

/// Shows or fetches CNIs.
pub(super) fn cni(args: Cni) -> Result<ExitCode, Failure> {
    match args.command {
        CniCommand::List { cni_file } => {
            let files = Files { cni_file, ..Files::default() };
            let catalogue = files.catalogue().map_err(Failure::usage)?;
            screen::print(list(&catalogue).as_bytes())?;
        }
        CniCommand::Show { cni, cni_file } => {
            let files = Files { cni_file, ..Files::default() };
            let choice = files.choose(&cni).map_err(Failure::usage)?;
            screen::print(show(&choice).as_bytes())?;
        }
        CniCommand::Fetch { cnis, files } => {
            if files.manifests.is_none() && files.images.is_none() {
                return Err(Failure::usage(anyhow::anyhow!(
                    "expected `--manifests DIR`, `--images DIR` or both, found neither"
                )));
            }
            let chosen: Result<Vec<_>> = cnis.iter().map(|cni| files.choose(cni)).collect();
            let runtime = super::runtime()?;
            for choice in chosen.map_err(Failure::usage)? {
                runtime.block_on(get(&choice, &files)).map_err(Failure::untold)?;
            }
        }
    }
    Ok(ExitCode::Passed)
}

fn list(catalogue: &Catalogue) -> String {
    let widest = catalogue.all().iter().map(|cni| cni.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for cni in catalogue.all() {
        text += &format!("{:widest$}  {}\n", cni.name, cni.about);
        let line = match &cni.body {
            Ok(install) => {
                let mut versions: Vec<&str> = install.versions.keys().map(String::as_str).collect();
                versions.sort_by_key(|version| *version != install.default);
                versions.join(", ")
            }
            Err(_) => "cannot be installed".to_owned(),
        };
        text += &format!("{:widest$}  {line}\n", "");
    }
    text
}

fn show(choice: &CniChoice) -> String {
    let CniChoice { cni, install, version_name, version } = choice;
    let mut text = format!("{} {version_name}: {}\n{}\n", cni.name, cni.about, cni.link);
    for why in cni.unverified.iter().chain(&version.unverified) {
        text += &format!("unverified: {why}\n");
    }
    if !cni.enforces {
        text += "enforces no policy: a run passes only if every deny is seen to fail\n";
    }
    let lacks = cni.dataplane(version_name).lacks;
    let names = |features: &mut dyn Iterator<Item = &crate::cluster::Feature>| {
        let names: Vec<&str> = features.map(|feature| feature.as_str()).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    };
    text += &format!("declares: {}\n", names(&mut install.features.iter()));
    text += &format!("lacks: {}\n", names(&mut lacks.iter()));
    for asset in version.assets() {
        let place = match &asset.place {
            Place::Url(url) => url.clone(),
            Place::File(path) => path.display().to_string(),
        };
        let sum = asset.sha256.as_ref().map_or_else(|why| why.clone(), Clone::clone);
        text += &format!("file: {place}\n  sha256: {sum}\n");
    }
    version.images.iter().for_each(|image| text += &format!("image: {image}\n"));
    for (word, known) in [("deviation", &install.deviations), ("choice", &install.choices)] {
        for known in known {
            text += &format!("{word} {} ({}): {}\n", known.id, known.feature, known.what);
            text += &format!("  {}\n", known.link);
        }
    }
    text
}

/// Fetches what a choice needs.
async fn get(choice: &CniChoice, files: &Files) -> Result<()> {
    let arch = host_arch();
    for asset in choice.version.assets().filter(|_| files.manifests.is_some()) {
        let target =
            files.manifests.clone().unwrap_or_default().join(asset_path(choice, asset, arch));
        let fetched = fetch(asset, None, arch, &Told::default()).await?;
        write(&target, &fetched.bytes)?;
        let checked = match &asset.sha256 {
            Ok(_) => "as pinned",
            Err(_) => "computed now, not pinned",
        };
        let line = format!("sha256 {} ({checked}) {}\n", fetched.sha256, target.display());
        screen::print(line.as_bytes())?;
    }
    if let Some(folder) = files.images.as_ref().filter(|_| !choice.version.images.is_empty()) {
        let docker = reach().await?;
        for image in &choice.version.images {
            pull(&docker, image).await?;
            let target = folder.join(image_path(image));
            write(&target, &saved(&docker, image).await?)?;
            screen::print(format!("image {image} {}\n", target.display()).as_bytes())?;
        }
    }
    Ok(())
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let shown = || format!("`{}` cannot be written", file.display());
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(shown)?;
    }
    std::fs::write(file, bytes).with_context(shown)
}
