//! Findings about input files.

use super::look::{Look, count};
use crate::scenario::{Diagnostic, Severity, render};

/// Every finding with its place, a blank line between them, and how many there are.
pub fn findings(findings: &[Diagnostic], look: Look) -> String {
    let each = findings.iter().map(|finding| render(finding, look.color, look.table()));
    let mut text = each.collect::<Vec<_>>().join("\n");
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    if !text.is_empty() {
        text.push('\n');
    }
    text += &match (errors, warnings) {
        (0, 0) => "nothing to say\n".to_owned(),
        (errors, 0) => format!("{}\n", count(errors, "error")),
        (0, warnings) => format!("{}\n", count(warnings, "warning")),
        _ => format!("{}, {}\n", count(errors, "error"), count(warnings, "warning")),
    };
    text
}
