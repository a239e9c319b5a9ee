//! The specified matrix of manifests, for people and for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::difference::{cluster_rule, rule};
use super::look::{Look, count};
use super::mark::Mark;
use super::{grid, look};
use crate::model::{Cell, Decision, Endpoint, Family, Matrix, Protocol, Verdict, Via};
use crate::semantics::why;

/// The version of the JSON and CSV forms.
pub const SCHEMA: u32 = 1;

/// A grid, and why cells are undefined or unknown.
pub fn table(matrix: &Matrix<Decision>, look: Look) -> String {
    if matrix.is_empty() {
        return "no cell: the manifests hold no two pods of which one listens on a port\n"
            .to_owned();
    }
    let cells = matrix.iter().map(|(cell, decision)| (cell.clone(), Mark::specified(decision)));
    let mut text = grid::render(cells, look);
    let mut open = BTreeMap::<String, (Mark, usize)>::new();
    for (_, decision) in matrix.iter() {
        let sentence = match decision.verdict {
            Verdict::Undefined(clause) => clause.sentence().to_owned(),
            Verdict::Unknown(fact) => fact.to_string(),
            Verdict::Allow | Verdict::Deny => continue,
        };
        open.entry(sentence).or_insert((Mark::specified(decision), 0)).1 += 1;
    }
    if !open.is_empty() {
        text.push('\n');
    }
    for (sentence, (mark, n)) in open {
        let sign = look.paint(mark.style(), &mark.glyph().to_string());
        let line = format!("{}: {sentence}", count(n, "cell"));
        text += &look.wrap(&format!("  {sign}  "), "     ", &line);
    }
    let mut tally = [0_usize; 4];
    for (_, decision) in matrix.iter() {
        tally[match decision.verdict {
            Verdict::Allow => 0,
            Verdict::Deny => 1,
            Verdict::Undefined(_) => 2,
            Verdict::Unknown(_) => 3,
        }] += 1;
    }
    let [allow, deny, undefined, unknown] = tally;
    let line = format!(
        "{}: {allow} allow, {deny} deny, {undefined} undefined, {unknown} unknown",
        count(matrix.len(), "cell")
    );
    text = format!("{text}\n{}", look.wrap("", "  ", &look.paint(look::FAINT, &line)));
    look::tame(&text, look.color)
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    cells: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    source: &'a Endpoint,
    destination: &'a Endpoint,
    port: u16,
    protocol: Protocol,
    family: Family,
    via: Via,
    decision: &'a Decision,
    why: String,
}

impl<'a> Entry<'a> {
    fn new(cell: &'a Cell, decision: &'a Decision) -> Self {
        Self {
            source: &cell.source,
            destination: &cell.destination,
            port: cell.port,
            protocol: cell.protocol,
            family: cell.family,
            via: cell.via,
            decision,
            why: why(cell, decision),
        }
    }
}

/// One JSON object: `{"schema":1,"cells":[{"source":…,"destination":…,…}]}`, an entry
/// for each cell and family.
///
/// # Errors
/// None that the types allow; the serialiser's own are handed on.
pub fn json(matrix: &Matrix<Decision>) -> serde_json::Result<String> {
    let cells = matrix.iter().map(|(cell, decision)| Entry::new(cell, decision)).collect();
    let mut text = serde_json::to_string_pretty(&Document { schema: SCHEMA, cells })?;
    text.push('\n');
    Ok(text)
}

/// A heading line, and a line for each cell and family.
///
/// # Errors
/// None that the types allow; the writer's own are handed on.
pub fn csv(matrix: &Matrix<Decision>) -> csv::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "source",
        "destination",
        "port",
        "protocol",
        "family",
        "via",
        "verdict",
        "egress_rules",
        "ingress_rules",
        "why",
    ])?;
    for (cell, decision) in matrix.iter() {
        let rules = |side: &crate::model::Side| {
            let of_cluster = side.cluster.iter().map(cluster_rule);
            let told = of_cluster.chain(side.rules.iter().map(rule));
            told.map(|rule| rule.replace('`', "")).collect::<Vec<_>>().join("; ")
        };
        writer.write_record([
            cell.source.to_string(),
            cell.destination.to_string(),
            cell.port.to_string(),
            cell.protocol.to_string(),
            cell.family.to_string(),
            cell.via.to_string(),
            decision.verdict.to_string(),
            rules(&decision.egress),
            rules(&decision.ingress),
            why(cell, decision),
        ])?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;
    use crate::model::{Effect, MissingFact};
    use crate::report::fixture::{allowed, cell, denied};

    fn unknown() -> Decision {
        let mut decision = denied();
        decision.verdict = Verdict::Unknown(MissingFact::Address);
        decision.ingress.effect = Effect::Unknown(MissingFact::Address);
        decision
    }

    fn matrix() -> Matrix<Decision> {
        let mut matrix = Matrix::default();
        for family in Family::ALL {
            matrix.insert(cell("prod/api", "prod/db", 3306, family), allowed());
            matrix.insert(cell("prod/api", "prod/db", 3307, family), denied());
            matrix.insert(cell("prod/api", "prod/web", 80, family), allowed());
            matrix.insert(cell("prod/web", "prod/db", 3306, family), denied());
            matrix.insert(cell("prod/web", "prod/db", 3307, family), unknown());
            let mut dns = cell("prod/web", "kube-system/dns", 53, family);
            dns.protocol = Protocol::Udp;
            matrix.insert(dns, allowed());
        }
        matrix.insert(cell("prod/db", "backup", 80, Family::Ipv4), allowed());
        matrix.insert(cell("prod/db", "backup", 80, Family::Ipv6), denied());
        matrix
    }

    #[test]
    fn golden_forms() {
        let matrix = matrix();
        let look = Look { width: Some(80), color: false };
        expect_file!["../../tests/golden/report/matrix.txt"].assert_eq(&table(&matrix, look));
        let narrow = Look { width: Some(40), color: false };
        expect_file!["../../tests/golden/report/matrix-narrow.txt"]
            .assert_eq(&table(&matrix, narrow));
        expect_file!["../../tests/golden/report/matrix.json"].assert_eq(&json(&matrix).unwrap());
        let csv = String::from_utf8(csv(&matrix).unwrap()).unwrap();
        expect_file!["../../tests/golden/report/matrix.csv"].assert_eq(&csv);
    }

    #[test]
    fn a_wide_matrix_goes_into_several_grids_none_wider_than_the_terminal() {
        use unicode_width::UnicodeWidthStr;
        let mut matrix = Matrix::default();
        for n in 0..35 {
            let mut wide =
                cell("a-namespace-with-a-long-name/a-pod-with-a-long-name", "x", 80, Family::Ipv4);
            wide.destination = Endpoint::pod("another-namespace", &format!("destination-{n}"));
            matrix.insert(wide, allowed());
        }
        let text = table(&matrix, Look { width: Some(60), color: false });
        assert!(text.lines().all(|line| line.width() <= 60), "{text}");
        for n in 0..35 {
            assert!(text.contains(&format!("destination-{n}")), "{text}");
        }
    }
}
