//! Every diagnostic, as a user sees it.
//!
//! Each folder under `tests/diagnostics` is a case: a scenario if it holds a
//! `scenario.yaml`, else a bundle of manifests. `expected.txt` is what is
//! printed; `UPDATE_EXPECT=1 cargo test` writes it anew. A line
//! `# kubernetes: 1.35` in any of its files asks for that version's rules.

use std::path::{Path, PathBuf};

use ringfence::scenario::{
    Diagnostic, KubernetesVersion, LoadOptions, load_manifests, load_scenarios, render,
};

fn version(folder: &Path) -> KubernetesVersion {
    let texts = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    texts
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .find_map(|text| {
            let version = text.lines().find_map(|line| line.strip_prefix("# kubernetes: "))?;
            Some(version.parse().unwrap())
        })
        .unwrap_or_default()
}

fn diagnostics(folder: &Path) -> Vec<Diagnostic> {
    let options = LoadOptions { kubernetes: version(folder) };
    let paths = [folder.to_owned()];
    if folder.join("scenario.yaml").exists() {
        load_scenarios(&paths, &options).diagnostics
    } else {
        load_manifests(&paths, &options).diagnostics
    }
}

fn cases() -> Vec<PathBuf> {
    // Relative, so that the paths in the expected texts are the same everywhere.
    let mut cases: Vec<PathBuf> = std::fs::read_dir("tests/diagnostics")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    cases
}

#[test]
fn every_diagnostic_reads_as_expected() {
    let cases = cases();
    assert!(cases.len() > 20, "expected the cases under tests/diagnostics, found {}", cases.len());
    for case in cases {
        let texts: Vec<String> = diagnostics(&case).iter().map(|d| render(d, false, 100)).collect();
        let expected = std::env::current_dir().unwrap().join(&case).join("expected.txt");
        expect_test::expect_file![expected].assert_eq(&texts.join("\n"));
    }
}

#[test]
fn every_place_exists() {
    for case in cases() {
        for diagnostic in diagnostics(&case) {
            let origin = &diagnostic.origin;
            if origin.line == 0 {
                continue;
            }
            let text = std::fs::read_to_string(&*origin.file).unwrap();
            let line = text.lines().nth(origin.line as usize - 1);
            let line = line.unwrap_or_else(|| panic!("no such line: {diagnostic:?}"));
            let columns = line.chars().count() as u32;
            assert!((1..=columns + 1).contains(&origin.column), "{diagnostic:?}");
            let excerpt = diagnostic.excerpt.as_ref().expect("an excerpt where there is a line");
            assert_eq!(excerpt.line, line);
        }
    }
}
