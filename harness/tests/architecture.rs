//! Holds the architecture: imports go one way, the pure parts stay pure, files stay short.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules of the crate each module may name, besides itself.
const IMPORTS: [(&str, &[&str]); 10] = [
    ("model", &[]),
    ("exit", &[]),
    ("semantics", &["model"]),
    ("scenario", &["model"]),
    ("catalogue", &["model", "scenario"]),
    ("cluster", &["model", "semantics", "scenario"]),
    ("run", &["model", "semantics", "scenario", "catalogue", "cluster", "exit"]),
    ("report", &["model", "semantics", "scenario", "catalogue", "cluster", "run", "exit"]),
    ("selftest", &["model", "scenario", "catalogue", "cluster", "run", "report", "exit"]),
    (
        "cli",
        &[
            "model",
            "semantics",
            "scenario",
            "catalogue",
            "cluster",
            "run",
            "report",
            "selftest",
            "exit",
        ],
    ),
];

/// What the pure parts may not know of.
const IMPURE: [&str; 14] = [
    "tokio",
    "async fn",
    "async_trait",
    "kube::",
    "k8s_openapi",
    "std::fs",
    "std::io",
    "std::env",
    "std::process",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "nix::",
    "socket2",
];

/// What no code may hold.
const UNFINISHED: [&str; 3] = ["todo!", "unimplemented!", "thread::sleep"];

/// The most lines that a file may have.
const CEILING: usize = 500;

struct Source {
    /// Below `src`, with `/`.
    path: String,
    /// The module path of the file: `["report", "live"]`.
    module: Vec<String>,
    /// The code without comments.
    code: String,
    /// As `code`, without the unit tests at its end.
    shipped: String,
    lines: usize,
}

fn sources(root: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(source(root, &path));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn source(root: &Path, path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let relative = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
    let mut module: Vec<String> =
        relative.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let only_tests = ["tests", "fixture"].iter().any(|name| module.iter().any(|m| m == name));
    let shipped =
        if only_tests { "" } else { code.split("#[cfg(test)]\nmod tests").next().unwrap() };
    let shipped = shipped.to_owned();
    Source { path: relative, module, shipped, code, lines: text.lines().count() }
}

/// The top-level modules that follow `prefix` in the code, through `{…}` groups.
fn named_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let word = |text: &str| text.chars().take_while(|c| is_word(*c)).collect::<String>();
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(|c: char| is_word(c) || c == ':') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(word(rest));
            continue;
        };
        let mut depth = 0_usize;
        let mut item = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    names.insert(word(item.trim_start()));
                    item.clear();
                    continue;
                }
                _ => {}
            }
            item.push(c);
        }
        names.insert(word(item.trim_start()));
    }
    names.remove("");
    names
}

impl Source {
    /// The top-level modules that the file names, by `crate::` and by `super::` up to the root.
    fn imports(&self) -> BTreeSet<String> {
        let mut names = named_after(&self.shipped, "crate::");
        if !self.module.is_empty() {
            names.extend(named_after(&self.shipped, &"super::".repeat(self.module.len())));
        }
        names.retain(|name| name.starts_with(char::is_lowercase));
        names
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn probes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes/src")
}

#[test]
fn the_parser_sees_every_form_of_an_import() {
    let code = "use crate::model::{Cell, a::b};\nuse crate::{run, report::{live, x}, cli};\nlet x = crate::exit::Y; mycrate::no(); super::super::up::x";
    let names: Vec<_> = named_after(code, "crate::").into_iter().collect();
    assert_eq!(names, ["cli", "exit", "model", "report", "run"]);
    assert_eq!(named_after(code, "super::super::").into_iter().collect::<Vec<_>>(), ["up"]);
}

/// Which modules name which of their neighbours, by `super::` and by `crate::`.
fn neighbours(sources: &[Source]) -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
    let shipped = || sources.iter().filter(|source| !source.shipped.is_empty());
    let modules: BTreeSet<&[String]> = shipped().map(|source| source.module.as_slice()).collect();
    let mut named: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for source in shipped() {
        for depth in 0..source.module.len() {
            let (parent, own) = (&source.module[..depth], &source.module[..=depth]);
            let above = "super::".repeat(source.module.len() - depth);
            let from_root = format!("{}::", [&["crate".to_owned()], parent].concat().join("::"));
            let mut names = named_after(&source.shipped, &above);
            names.extend(named_after(&source.shipped, &from_root));
            let names = names.into_iter().map(|name| [parent, &[name]].concat());
            let others = names.filter(|name| *name != own && modules.contains(name.as_slice()));
            named.entry(own.to_vec()).or_default().extend(others);
        }
    }
    named
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for root in [root(), probes()] {
        let mut named = neighbours(&sources(&root));
        assert!(named.values().any(|others| !others.is_empty()), "no import in {root:?}");
        // Whatever names nothing that is left is in no circle.
        loop {
            let left: BTreeSet<_> = named.keys().cloned().collect();
            named.retain(|_, others| others.iter().any(|other| left.contains(other)));
            if named.len() == left.len() {
                break;
            }
        }
        assert!(named.is_empty(), "these import each other, or files that do:\n{named:#?}");
    }
}

#[test]
fn imports_go_one_way() {
    let sources = sources(&root());
    let modules: BTreeSet<&str> =
        sources.iter().filter_map(|s| s.module.first()).map(String::as_str).collect();
    let known: BTreeSet<&str> = IMPORTS.iter().map(|(module, _)| *module).collect();
    assert_eq!(modules, known, "the modules that there are, and those of the table");

    let mut wrong = Vec::new();
    for source in &sources {
        let Some(own) = source.module.first() else { continue };
        let allowed = IMPORTS.iter().find(|(module, _)| module == own).unwrap().1;
        for name in source.imports() {
            if modules.contains(name.as_str()) && name != *own && !allowed.contains(&name.as_str())
            {
                wrong.push(format!("{} names `{name}`", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the table:\n{}", wrong.join("\n"));
}

/// The README and the crate's documentation show the same order, of the modules that there are.
#[test]
fn the_order_is_documented_as_it_is() {
    let chain: Vec<&str> =
        IMPORTS.iter().map(|(module, _)| *module).filter(|module| *module != "exit").collect();
    for file in ["../../README.md", "lib.rs"] {
        let text = fs::read_to_string(root().join(file)).unwrap().replace("\n//!", "");
        let (_, told) = text.split_once("Imports go one way: ").unwrap();
        let told = told.split('.').next().unwrap();
        let named: Vec<&str> = told.split('`').skip(1).step_by(2).collect();
        assert_eq!(named, chain, "{file}");
    }
}

#[test]
fn the_dataplane_is_independent_of_the_engine() {
    for source in sources(&root()) {
        let embedded = source.path.starts_with("cluster/embedded");
        assert!(
            !(embedded && source.imports().contains("semantics")),
            "{} names `semantics`: two implementations that share code are no evidence",
            source.path
        );
    }
}

#[test]
fn the_pure_modules_know_nothing_of_the_world() {
    for source in sources(&root()) {
        if !matches!(
            source.module.first().map(String::as_str),
            Some("model" | "semantics" | "catalogue" | "selftest")
        ) {
            continue;
        }
        for word in IMPURE {
            assert!(!source.shipped.contains(word), "{} holds `{word}`", source.path);
        }
    }
}

#[test]
fn files_are_short_and_finished() {
    let mut wrong = Vec::new();
    for source in sources(&root()).into_iter().chain(sources(&probes())) {
        if source.lines > CEILING {
            wrong.push(format!("{}: {} lines, at most {CEILING}", source.path, source.lines));
        }
        for word in UNFINISHED {
            if source.code.contains(word) {
                wrong.push(format!("{} holds `{word}`", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn main_is_thin() {
    let main = fs::read_to_string(root().join("main.rs")).unwrap();
    assert!(main.lines().count() < 60);
}
