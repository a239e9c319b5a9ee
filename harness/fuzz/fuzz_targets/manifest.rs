//! Any text as a manifest: values or diagnostics, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfence::scenario::{LoadOptions, parse_manifests, render};

fuzz_target!(|text: &str| {
    for file in ["a.yaml", "a.json"] {
        for diagnostic in parse_manifests(file, text, &LoadOptions::default()).diagnostics {
            render(&diagnostic, true, 60);
        }
    }
});
