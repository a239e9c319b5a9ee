//! Charts, installed by `helm`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value as Json;

use super::action::Program;
use super::execute::Told;
use super::process;

/// A chart on its way into a cluster.
pub(super) struct Release<'a> {
    /// The archive.
    pub(super) file: &'a Path,
    /// Where the chart is in it, if it is not the chart's package.
    pub(super) path: Option<&'a str>,
    /// A file of values in the chart.
    pub(super) values_file: Option<&'a str>,
    /// The release's name.
    pub(super) name: &'a str,
    /// The release's namespace.
    pub(super) namespace: &'a str,
    /// Values, with every `${…}` filled in.
    pub(super) values: Json,
    /// The cluster's kubeconfig.
    pub(super) kubeconfig: &'a Path,
}

/// Fills in what a value leaves open, such as `${CONTROL_PLANE}`.
pub(super) fn fill(value: &mut Json, words: &[(&str, &str)]) {
    match value {
        Json::String(text) => {
            for (word, stands_for) in words {
                *text = text.replace(word, stands_for);
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| fill(item, words)),
        Json::Object(map) => map.values_mut().for_each(|item| fill(item, words)),
        _ => {}
    }
}

/// Installs a release, or brings it to this state where it is there.
///
/// # Errors
/// Where the archive holds no such chart, or what `helm` says.
pub(super) async fn install(
    release: Release<'_>,
    path: Option<&OsString>,
    told: &Told,
) -> anyhow::Result<()> {
    let folder = release.file.parent().unwrap_or(Path::new("."));
    let chart = match release.path {
        None => release.file.to_owned(),
        Some(inner) => {
            let (file, to) = (release.file.to_owned(), folder.join("unpacked"));
            let chart = to.join(inner);
            tokio::task::spawn_blocking(move || unpack(&file, &to)).await??;
            if !chart.is_dir() {
                bail!("expected a chart at `{inner}` in `{}`, found none", release.file.display());
            }
            chart
        }
    };
    let values = folder.join("values.json");
    let text = serde_json::to_vec_pretty(&release.values)?;
    let written = tokio::fs::write(&values, text).await;
    written.with_context(|| format!("`{}` cannot be written", values.display()))?;
    let mut arguments: Vec<String> = ["upgrade", "--install", release.name].map(Into::into).into();
    arguments.push(chart.display().to_string());
    arguments.extend(["--namespace", release.namespace, "--create-namespace"].map(Into::into));
    arguments.extend(["--kubeconfig".to_owned(), release.kubeconfig.display().to_string()]);
    if let Some(file) = release.values_file {
        arguments.extend(["--values".to_owned(), chart.join(file).display().to_string()]);
    }
    arguments.extend(["--values".to_owned(), values.display().to_string()]);
    process::run(Program::Helm, &arguments, path, told).await.map(drop)
}

/// Unpacks a `.tar.gz`; entries that would leave the folder are not unpacked.
fn unpack(file: &PathBuf, folder: &Path) -> anyhow::Result<()> {
    let opened = std::fs::File::open(file);
    let opened = opened.with_context(|| format!("`{}` cannot be read", file.display()))?;
    tar::Archive::new(flate2::read::GzDecoder::new(opened))
        .unpack(folder)
        .with_context(|| format!("`{}` cannot be unpacked", file.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_filled_in_wherever_they_stand() {
        let mut values = json!({ "a": ["https://${IP}:1", 2], "b": { "c": "${NAME}-${IP}" } });
        fill(&mut values, &[("${IP}", "10.0.0.1"), ("${NAME}", "n")]);
        assert_eq!(values, json!({ "a": ["https://10.0.0.1:1", 2], "b": { "c": "n-10.0.0.1" } }));
    }
}
