//! The scenarios that would run.

use unicode_width::UnicodeWidthStr;

use super::look::{Look, tame};
use crate::run::ScenarioInfo;

/// The widest column of identifiers: longer ones push their sentence aside, and no other.
const WIDEST: usize = 48;

/// What each scenario is and shows: a line each, or, where the width is
/// limited, the sentence beneath the identifier.
pub fn list(scenarios: &[ScenarioInfo], look: Look) -> String {
    let widest = scenarios.iter().map(|info| info.id.width()).max().unwrap_or(0).min(WIDEST);
    let each = scenarios.iter().map(|info| match look.width {
        Some(_) => {
            format!("{}\n{}", look.heading(&info.id), look.wrap("    ", "    ", &info.about))
        }
        None => {
            let gap = " ".repeat(widest.saturating_sub(info.id.width()));
            format!("{}{gap}  {}\n", info.id, info.about)
        }
    });
    tame(&each.collect::<String>(), look.color)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_line_each_where_nothing_limits_it() {
        let info = |id: &str| ScenarioInfo {
            about: "What it shows, in a sentence.".to_owned(),
            ..ScenarioInfo::unknown(id)
        };
        let infos = [info("a"), info("long/name")];
        expect![[r"
            a          What it shows, in a sentence.
            long/name  What it shows, in a sentence.
        "]]
        .assert_eq(&list(&infos, Look::PLAIN));
        let long = format!("{}/name", "x".repeat(2 * WIDEST));
        let text = list(&[info("a"), info(&long)], Look::PLAIN);
        assert!(text.starts_with(&format!("a{:WIDEST$} What", "")), "{text}");
        assert!(text.ends_with(&format!("/name  {}\n", infos[0].about)), "{text}");
        expect![[r"
            a
                What it shows,
                in a sentence.
            long/name
                What it shows,
                in a sentence.
        "]]
        .assert_eq(&list(&infos, Look { width: Some(20), color: false }));
    }
}
