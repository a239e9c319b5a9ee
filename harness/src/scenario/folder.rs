//! The files beside a `scenario.yaml`, each read once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::digest;
use super::field::{Field, Reader};
use super::manifest::{self, Manifest};
use super::nearby::did_you_mean;
use super::source::Source;
use super::{Diagnostic, KubernetesVersion};

/// The file that makes a folder a scenario.
pub(crate) const SCENARIO_FILE: &str = "scenario.yaml";

/// Where the files of a scenario are.
#[derive(Debug, Clone)]
pub(crate) enum Folder {
    /// A folder on disk.
    Disk(PathBuf),
    /// Files by name, and the folder in which they would be, for callers that have none.
    Memory(PathBuf, BTreeMap<String, String>),
}

impl Folder {
    /// The path of a scenario that was loaded from here.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::Disk(path) | Self::Memory(path, _) => path.clone(),
        }
    }

    /// One of its files.
    pub(crate) fn read(&self, name: &str) -> Result<Source, String> {
        match self {
            Self::Disk(folder) => read(&folder.join(name)),
            Self::Memory(folder, files) => match files.get(name) {
                Some(text) => {
                    Ok(Source::new(&folder.join(name).display().to_string(), text.as_str()))
                }
                None => Err("no such file".to_owned()),
            },
        }
    }

    /// The files that there are, for "did you mean".
    fn names(&self) -> Vec<String> {
        let mut names = match self {
            Self::Disk(folder) => std::fs::read_dir(folder)
                .into_iter()
                .flatten()
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect(),
            Self::Memory(_, files) => files.keys().cloned().collect::<Vec<_>>(),
        };
        names.sort();
        names
    }
}

/// Reads a file of text.
pub(crate) fn read(path: &Path) -> Result<Source, String> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => error.to_string(),
    })?;
    let file = path.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(&file, text)),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..valid].iter().filter(|b| **b == b'\n').count() + 1;
            Err(format!("line {line} is not UTF-8"))
        }
    }
}

/// A manifest and its text.
pub(crate) struct Accepted {
    pub(crate) source: Source,
    pub(crate) manifest: Manifest,
}

/// The manifests of a scenario.
pub(crate) struct Manifests<'f> {
    folder: &'f Folder,
    version: KubernetesVersion,
    read: BTreeMap<String, Rc<Accepted>>,
    /// The digest of each that was read.
    pub(crate) digests: BTreeMap<String, String>,
    /// What was found in files that are to be taken as they are.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Policies that are not understood, a sentence each.
    pub(crate) unsupported: Vec<String>,
}

impl<'f> Manifests<'f> {
    pub(crate) fn new(folder: &'f Folder, version: KubernetesVersion) -> Self {
        Self {
            folder,
            version,
            read: BTreeMap::new(),
            digests: BTreeMap::new(),
            diagnostics: Vec::new(),
            unsupported: Vec::new(),
        }
    }

    /// A manifest that is to be taken as it is; its findings are kept, once.
    pub(crate) fn accepted(&mut self, name: &str) -> Result<Rc<Accepted>, String> {
        if let Some(accepted) = self.read.get(name) {
            return Ok(accepted.clone());
        }
        let source = self.source(name)?;
        let manifest = manifest::read(&source, self.version);
        self.diagnostics.extend(manifest.diagnostics.iter().cloned());
        self.unsupported.extend(manifest.unsupported.iter().cloned());
        let accepted = Rc::new(Accepted { source, manifest });
        self.read.insert(name.to_owned(), accepted.clone());
        Ok(accepted)
    }

    /// A manifest that is to be refused; its findings are the caller's.
    pub(crate) fn judged(&mut self, name: &str) -> Result<Manifest, String> {
        Ok(manifest::read(&self.source(name)?, self.version))
    }

    fn source(&mut self, name: &str) -> Result<Source, String> {
        let source = self.folder.read(name)?;
        self.digests.insert(name.to_owned(), digest::digest_of_text(&source.text));
        Ok(source)
    }

    /// The files that there are.
    pub(crate) fn names(&self) -> Vec<String> {
        self.folder.names()
    }
}

/// A file that cannot be read.
pub(crate) fn unreadable(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    name: &str,
    error: &str,
    manifests: &Manifests<'_>,
) {
    let names = manifests.names();
    let near = did_you_mean(name, names.iter().map(String::as_str));
    let diagnostic =
        reader.error("unreadable-file", field, format!("cannot read `{name}`: {error}"));
    if let Some(near) = near {
        diagnostic.hint(&near);
    }
}
