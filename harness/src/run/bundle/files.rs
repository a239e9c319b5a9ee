//! Files of a bundle, under names that lead nowhere else.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Written;

/// The most characters of a name: with a number behind it, it fits every file system.
const LONGEST: usize = 200;

/// A text as the name of one file: `kind:calico` is `kind-calico`, and
/// `guides/default-deny` is `guides--default-deny`.
pub(super) fn file_name(text: &str) -> String {
    let known = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let name: String = text
        .replace('/', "--")
        .chars()
        .map(|c| if known(c) { c } else { '-' })
        .take(LONGEST)
        .collect();
    // A name of dots alone would be the folder itself, or the one above it.
    if name.chars().all(|c| c == '.') { "_".repeat(name.len().max(1)) } else { name }
}

/// A bundle's folder while it is filled.
pub(super) struct Folder {
    path: PathBuf,
    files: BTreeSet<String>,
}

impl Folder {
    /// A new folder; where one of that name is there already, with a number behind it.
    pub(super) fn create(parent: &Path, name: &str) -> anyhow::Result<Self> {
        let failed = |path: &Path| format!("create the folder `{}`", path.display());
        fs::create_dir_all(parent).with_context(|| failed(parent))?;
        let mut number = 1_u32;
        loop {
            let path = match number {
                1 => parent.join(name),
                _ => parent.join(format!("{name}-{number}")),
            };
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path, files: BTreeSet::new() }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error).context(failed(&path)),
            }
        }
    }

    /// A new file at a path below the folder, whatever the path says.
    pub(super) fn file(&mut self, path: &str) -> anyhow::Result<BufWriter<File>> {
        let parts = path.split('/').filter(|part| !part.is_empty()).map(file_name);
        let wanted = parts.collect::<Vec<_>>().join("/");
        let mut name = wanted.clone();
        let mut number = 1_u32;
        // The folder is new: what is there, this bundle has written.
        while name.is_empty() || self.path.join(&name).exists() {
            number += 1;
            name = format!("{wanted}-{number}");
        }
        let path = self.path.join(&name);
        let create = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            File::create_new(&path)
        };
        let file = create().with_context(|| format!("write `{}`", path.display()))?;
        self.files.insert(name);
        Ok(BufWriter::new(file))
    }

    /// Writes a whole file.
    pub(super) fn write(&mut self, path: &str, text: &str) -> anyhow::Result<()> {
        use std::io::Write as _;
        let mut file = self.file(path)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.flush());
        written.with_context(|| format!("write `{path}` of `{}`", self.path.display()))
    }

    /// What was written.
    pub(super) fn done(self) -> Written {
        Written { folder: self.path, files: self.files.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        for (text, name) in [
            ("kind:calico@v3.31", "kind-calico-v3.31"),
            ("guides/default-deny", "guides--default-deny"),
            ("..", "__"),
            (".", "_"),
            ("", "_"),
            ("../../etc", "..--..--etc"),
            ("a\0b\n", "a-b-"),
            ("größe", "gr--e"),
        ] {
            assert_eq!(file_name(text), name, "{text:?}");
        }
        assert_eq!(file_name(&"x".repeat(999)).len(), LONGEST);
    }

    #[test]
    fn every_file_is_below_the_folder_and_none_is_lost() {
        let root = tempfile::tempdir().unwrap();
        let mut folder = Folder::create(&root.path().join("kind-a"), "s").unwrap();
        let paths =
            ["pods/a.yaml", "../../outside", "/etc/passwd", "pods/a.yaml", "", "pods", "./x/../y"];
        for path in paths {
            folder.write(path, path).unwrap();
        }
        let written = folder.done();
        assert_eq!(
            written.files,
            [
                "-2",
                "_/x/__/y",
                "__/__/outside",
                "etc/passwd",
                "pods-2",
                "pods/a.yaml",
                "pods/a.yaml-2"
            ]
        );
        for file in &written.files {
            assert!(written.folder.join(file).is_file(), "{file}");
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        // What an earlier run has left stays.
        let second = Folder::create(&root.path().join("kind-a"), "s").unwrap().done();
        assert_eq!(second.folder, root.path().join("kind-a/s-2"));
    }
}
