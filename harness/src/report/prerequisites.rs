//! What the embedded cluster needs, and whether it is there.

use std::fmt::Write as _;

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::look::{BAD, DOUBTFUL, FAINT, GOOD, Look};
use crate::cluster::embedded::doctor::{Check, CheckState};

/// Whether nothing is missing without which no embedded cluster works.
pub fn suffice(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.state != CheckState::Missing)
}

/// What is missing, in one sentence each, with the remedy.
pub fn missing(checks: &[Check]) -> Vec<String> {
    checks
        .iter()
        .filter(|check| check.state == CheckState::Missing)
        .map(|check| match &check.remedy {
            Some(remedy) => format!("{}: {}; {remedy}", check.name, check.found),
            None => format!("{}: {}", check.name, check.found),
        })
        .collect()
}

/// The table of prerequisites, and what follows from it.
pub fn render(checks: &[Check], look: Look) -> String {
    let mut text = rows(checks, look);
    let partly = checks.iter().any(|check| check.state == CheckState::Warn);
    let (style, verdict): (Style, &str) = match (suffice(checks), partly) {
        (true, false) => (GOOD, "the embedded cluster works here"),
        (true, true) => {
            (DOUBTFUL, "the embedded cluster works here; what is partly there is skipped aloud")
        }
        (false, _) => (BAD, "the embedded cluster does not work here"),
    };
    let _ = write!(text, "\n{}", look.wrap("", "", &look.paint(style, verdict)));
    if !suffice(checks) {
        let told = "`ringfence matrix`, `explain` and `lint` need no cluster";
        text += &look.wrap("", "", &look.paint(FAINT, told));
    }
    text
}

/// The table of what clusters of other kinds need besides.
pub fn render_more(checks: &[Check], look: Look) -> String {
    let title = "clusters that are made with kind also need";
    format!("\n{}{}", look.wrap("", "", title), rows(checks, look))
}

fn rows(checks: &[Check], look: Look) -> String {
    let names = checks.iter().map(|check| check.name.width()).max().unwrap_or(0);
    let indent = " ".repeat("missing".len() + 2 + names + 2);
    let mut text = String::new();
    for check in checks {
        let (style, word) = match check.state {
            CheckState::Ok => (GOOD, "ok"),
            CheckState::Missing => (BAD, "missing"),
            CheckState::Warn => (DOUBTFUL, "partly"),
        };
        let state = look.paint(style, &format!("{word:<7}"));
        let gap = " ".repeat(names - check.name.width());
        text += &look.wrap(&format!("{state}  {}{gap}  ", check.name), &indent, &check.found);
        if let Some(remedy) = &check.remedy {
            text += &look.wrap(&indent, &indent, remedy);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;

    fn check(name: &str, state: CheckState, found: &str, remedy: Option<&str>) -> Check {
        Check {
            name: name.to_owned(),
            state,
            found: found.to_owned(),
            remedy: remedy.map(str::to_owned),
        }
    }

    #[test]
    fn golden_tables() {
        let mut checks = vec![
            check("Linux", CheckState::Ok, "6.8.0", None),
            check("user namespaces", CheckState::Ok, "they can be made", None),
        ];
        let look = Look { width: Some(80), color: false };
        let good = render(&checks, look);
        checks.push(check(
            "IPv6 forwarding",
            CheckState::Warn,
            "no IPv6: `/proc/sys/net/ipv6/conf/all/forwarding` cannot be written",
            Some("without it, cells over IPv6 are skipped"),
        ));
        let partly = render(&checks, look);
        checks[1] = check(
            "user namespaces",
            CheckState::Missing,
            "expected a user namespace from this machine, found `EPERM`",
            Some(
                "`kernel.unprivileged_userns_clone` is 0: allow it with `sysctl -w kernel.unprivileged_userns_clone=1`",
            ),
        );
        let docker = check(
            "Docker",
            CheckState::Missing,
            "expected an Engine at `unix:///var/run/docker.sock`, found none",
            Some("start it"),
        );
        let more = render_more(&[docker], look);
        let bad = render(&checks, look);
        let all = format!("{good}\n---\n{partly}\n---\n{bad}\n---\n{more}");
        expect_file!["../../tests/golden/report/doctor.txt"].assert_eq(&all);
        assert_eq!(missing(&checks).len(), 1);
    }
}
