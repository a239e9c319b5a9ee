//! Whatever the bytes are, the loader answers with values or diagnostics.

use std::collections::BTreeMap;

use proptest::prelude::*;
use ringfence::scenario::{LoadOptions, Severity, parse_manifests, parse_scenario, render};

const POLICY: &str = include_str!("diagnostics/valid/policy.yaml");
const SCENARIO: &str = include_str!("diagnostics/valid/scenario.yaml");
const JSON: &str = include_str!("diagnostics/duplicate-key/b.json");
const SELECTORS: &str = include_str!("diagnostics/selector/a.yaml");
const WORKLOADS: &str = include_str!("diagnostics/workloads/a.yaml");
const CIDRS: &str = include_str!("diagnostics/cidr-strict/a.yaml");

/// Reads a text as everything that it could be, and shows what is wrong with it.
fn load(text: &str) {
    let options = LoadOptions::default();
    for file in ["a.yaml", "a.json"] {
        for diagnostic in parse_manifests(file, text, &options).diagnostics {
            render(&diagnostic, true, 60);
        }
    }
    let manifests = BTreeMap::from([("policy.yaml".to_owned(), text.to_owned())]);
    parse_scenario("scenario.yaml", SCENARIO, &manifests, &options);
    let manifests = BTreeMap::from([("policy.yaml".to_owned(), POLICY.to_owned())]);
    let (scenario, diagnostics) = parse_scenario("scenario.yaml", text, &manifests, &options);
    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    assert_eq!(scenario.is_none(), failed, "a scenario is there exactly where no error is");
    for diagnostic in &diagnostics {
        render(diagnostic, false, 60);
    }
}

/// Words that mean something to one of the parsers.
fn token() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "\n",
        "\n  ",
        "\n- ",
        ": ",
        ":",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"",
        "'",
        "|",
        ">",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "---\n",
        "...\n",
        "#",
        "\t",
        "~",
        "null",
        "yes",
        "0x10",
        "1e999",
        "-",
        "->",
        "allow * -> *",
        "prod/web",
        ":80/UDP",
        "10.0.0.0/8",
        "::ffff:1.2.3.4/128",
        "spec",
        "apiVersion",
        "kind",
        "List",
        "items",
        "é",
        "\u{0}",
        "\u{feff}",
        "\u{85}",
        "\r",
        "%YAML 1.1\n",
        "? ",
    ])
}

#[derive(Debug, Clone)]
enum Edit {
    Insert(usize, &'static str),
    Delete(usize, usize),
    Copy(usize, usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<usize>(), token()).prop_map(|(at, text)| Edit::Insert(at, text)),
        (any::<usize>(), 1_usize..40).prop_map(|(at, length)| Edit::Delete(at, length)),
        (any::<usize>(), 1_usize..80, any::<usize>()).prop_map(|(a, n, b)| Edit::Copy(a, n, b)),
    ]
}

fn mutate(text: &str, edits: &[Edit]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for edit in edits {
        match edit {
            Edit::Insert(at, text) => {
                let at = at % (chars.len() + 1);
                chars.splice(at..at, text.chars());
            }
            Edit::Delete(at, length) => {
                let at = at % (chars.len() + 1);
                let end = (at + length).min(chars.len());
                chars.drain(at..end);
            }
            Edit::Copy(from, length, to) => {
                let from = from % (chars.len() + 1);
                let part = chars[from..(from + length).min(chars.len())].to_vec();
                let to = to % (chars.len() + 1);
                chars.splice(to..to, part);
            }
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #[test]
    fn on_arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        load(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn on_words_of_the_grammar(words in prop::collection::vec(token(), 0..60)) {
        load(&words.concat());
    }

    #[test]
    fn on_mutations_of_files(
        file in prop::sample::select(vec![POLICY, SCENARIO, JSON, SELECTORS, WORKLOADS, CIDRS]),
        edits in prop::collection::vec(edit(), 1..8),
    ) {
        load(&mutate(file, &edits));
    }
}
