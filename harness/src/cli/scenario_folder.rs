//! Scenario folders that are written.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::catalogue::Folder;

/// Makes sure of an empty folder, which an option names.
///
/// # Errors
/// Where it cannot be made, or holds something.
pub(super) fn vacant(root: &Path, option: &str) -> Result<()> {
    let asked = || format!("expected a folder for `{option}`, found none at `{}`", root.display());
    fs::create_dir_all(root).with_context(asked)?;
    if fs::read_dir(root).with_context(asked)?.next().is_some() {
        bail!(
            "expected an empty folder for `{option}`, found files in `{}`: name another one",
            root.display()
        );
    }
    Ok(())
}

/// Writes the files of a scenario.
///
/// # Errors
/// Names what cannot be written.
pub(super) fn write(files: &Folder, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    for (name, text) in &files.files {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    Ok(())
}
