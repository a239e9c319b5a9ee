//! What is shown while a run is under way: bars on a terminal, a line for each
//! finished scenario everywhere else.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use unicode_width::UnicodeWidthStr;

use super::look::{BAD, DOUBTFUL, GOOD, Look, count, duration, tame};
use super::summary::{Run, ScenarioRun, Stage};
use crate::run::{Event, Finding, Line, Status};

/// How often the spinners of running scenarios turn.
const TICK: Duration = Duration::from_millis(120);

/// A scenario's name keeps at least so many columns beside what it is at.
const LEAST_NAME: usize = 24;

/// A reason of at most so many columns is given again, rather than referred to.
const SHORT: usize = 60;

/// A result as a word of five columns, in its colour.
pub(crate) fn word(status: Option<Status>, look: Look) -> String {
    let (style, word) = match status {
        Some(Status::Passed) => (GOOD, "PASS "),
        Some(Status::Failed) => (BAD, "FAIL "),
        Some(Status::Errored) => (DOUBTFUL, "ERROR"),
        Some(Status::Skipped) => (DOUBTFUL, "SKIP "),
        None => (DOUBTFUL, "?    "),
    };
    look.paint(style, word)
}

/// The line of a finished scenario: `PASS  tiered-database  3 steps  412 cells  0.31s`. A long
/// reason that the line of another scenario gave already is not given again.
fn finished(
    scenario: &ScenarioRun,
    cluster: Option<&str>,
    given_by: Option<&str>,
    look: Look,
) -> String {
    let reason = scenario.reason.as_deref().map(|reason| match given_by {
        Some(other) if reason.width() > SHORT => format!("for the same reason as {other}"),
        _ => reason.to_owned(),
    });
    // Its word and a space stand before it.
    let room = look.width.map_or(usize::MAX, |width| width.saturating_sub(6).max(LEAST_NAME));
    let id = look.shorten(&scenario.info.id, room);
    let mut text = format!("{} {id}", word(scenario.status, look));
    if let Some(cluster) = cluster {
        let _ = write!(text, " on {cluster}");
    }
    if scenario.status == Some(Status::Skipped) || scenario.capabilities.is_none() {
        let _ = write!(text, "  {}", reason.as_deref().unwrap_or("no reason given"));
        return tame(&text, look.color);
    }
    let took = scenario.took.unwrap_or_default().as_secs_f64();
    let _ = write!(
        text,
        "  {}  {}  {took:.2}s",
        count(scenario.step_count(), "step"),
        count(scenario.cells(), "cell"),
    );
    for (finding, noun) in [
        (Finding::EnforcementFault, "enforcement fault"),
        (Finding::PolicyFault, "policy fault"),
        (Finding::MissingPolicyFault, "missing policy fault"),
        (Finding::KnownPolicyFault, "known policy fault"),
        (Finding::Unstable, "unstable cell"),
        (Finding::Inconclusive, "inconclusive cell"),
    ] {
        let n = scenario.count(&[finding]);
        if n > 0 {
            let _ = write!(text, "  {}", count(n, noun));
        }
    }
    let (unenforced, enforced) =
        (scenario.count(&[Finding::Unenforced]), scenario.count(&[Finding::Enforced]));
    if unenforced + enforced > 0 {
        let _ = write!(text, "  negative control: {unenforced} denied and open, {enforced} held");
    }
    let left_out = scenario.not_judged();
    if left_out > 0 {
        let _ = write!(text, "  {} not judged", count(left_out, "cell"));
    }
    let rejected = scenario.rejected();
    if rejected > 0 {
        let _ = write!(text, "  {}", count(rejected, "known rejection"));
    }
    // What failed is told of in the report, with the same reason beside its cells.
    if let (Some(reason), false) = (reason, scenario.status == Some(Status::Failed)) {
        let _ = write!(text, "  {reason}");
    }
    tame(&text, look.color)
}

/// The display of a run that is under way.
pub struct Live {
    look: Look,
    /// Which scenario's line gave a reason first.
    given: BTreeMap<String, String>,
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    running: BTreeMap<(String, String), ProgressBar>,
}

impl Live {
    /// Plain lines, one for each finished scenario.
    pub const fn plain(look: Look) -> Self {
        Self { look, given: BTreeMap::new(), bars: None }
    }

    /// Bars on standard error; of finished scenarios only those that did not
    /// pass get a line, since the summary lists them all.
    pub fn bars(look: Look) -> Self {
        Self::drawn(look, ProgressDrawTarget::stderr())
    }

    fn drawn(look: Look, target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let total = all.add(ProgressBar::new(0));
        total.set_style(style("{bar:24} {pos}/{len} scenarios  {msg}  {elapsed}"));
        Self {
            look,
            given: BTreeMap::new(),
            bars: Some(Bars { all, total, running: BTreeMap::new() }),
        }
    }

    /// Shows one line of the record; `run` has it folded in already.
    ///
    /// # Errors
    /// Where `out` cannot be written.
    pub fn show(&mut self, run: &Run, line: &Line, out: &mut dyn Write) -> io::Result<()> {
        let key = (line.scenario.clone(), line.cluster.clone());
        let scenario = run.scenarios.get(&key);
        let over = matches!(line.event, Event::ScenarioFinished { .. });
        let several = run.is_on_several();
        if let Event::Stage { name, what, took, failed } = &line.event {
            let text = stage(&line.cluster, (name, what), *took, *failed);
            return self.prepare(line, &tame(&text, false), *took, *failed, out);
        }
        let told = scenario.filter(|_| over).map(|scenario| {
            let id = &scenario.info.id;
            let given_by = scenario.reason.as_ref().and_then(|reason| {
                let first = self.given.entry(reason.clone()).or_insert_with(|| id.clone());
                (first != id).then_some(first.as_str())
            });
            let cluster = several.then_some(line.cluster.as_str());
            (scenario.status, finished(scenario, cluster, given_by, self.look))
        });
        let Some(bars) = &mut self.bars else {
            return match told {
                Some((_, text)) => {
                    write!(out, "{}", lines(&text, self.look)).and_then(|()| out.flush())
                }
                None => Ok(()),
            };
        };
        bars.follow(run, key, scenario, several, self.look);
        match told {
            Some((status, text)) if status != Some(Status::Passed) => {
                let text = lines(&text, self.look);
                bars.all.suspend(|| write!(out, "{text}").and_then(|()| out.flush()))
            }
            _ => Ok(()),
        }
    }

    /// Shows a part of a cluster's preparation: a line where it begins and one where it
    /// ends, or a bar while it lasts and a line if it failed.
    fn prepare(
        &mut self,
        line: &Line,
        text: &str,
        took: Option<Duration>,
        failed: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let Event::Stage { name, what, .. } = &line.event else { return Ok(()) };
        let Some(bars) = &mut self.bars else {
            return writeln!(out, "{text}").and_then(|()| out.flush());
        };
        let key = (format!("{name}\n{what}"), line.cluster.clone());
        if took.is_none() {
            bars.bar(key).set_message(text.to_owned());
            return Ok(());
        }
        bars.remove(&key);
        if failed {
            return bars.all.suspend(|| writeln!(out, "{text}").and_then(|()| out.flush()));
        }
        Ok(())
    }

    /// Lets something be said beside the bars, which are drawn again below it.
    pub fn aside(&self, say: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.all.suspend(say),
            None => say(),
        }
    }

    /// Takes the bars away, so that the report starts on a clean line.
    pub fn clear(&self) {
        if let Some(bars) = &self.bars {
            for bar in bars.running.values() {
                bar.finish_and_clear();
            }
            bars.total.finish_and_clear();
        }
    }
}

impl Bars {
    /// The bar of what is under way.
    fn bar(&mut self, key: (String, String)) -> &ProgressBar {
        let (all, total) = (&self.all, &self.total);
        self.running.entry(key).or_insert_with(|| {
            let bar = all.insert_before(total, ProgressBar::new_spinner());
            bar.set_style(style("{spinner} {wide_msg}"));
            bar.enable_steady_tick(TICK);
            bar
        })
    }

    fn remove(&mut self, key: &(String, String)) {
        if let Some(bar) = self.running.remove(key) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }

    fn follow(
        &mut self,
        run: &Run,
        key: (String, String),
        scenario: Option<&ScenarioRun>,
        several: bool,
        look: Look,
    ) {
        let counts = run.counts();
        let over = counts.passed + counts.failed + counts.errored + counts.skipped;
        self.total.set_length(run.scenarios.len() as u64);
        self.total.set_position(over as u64);
        let mut parts = vec![format!("{} passed", counts.passed)];
        for (n, word) in
            [(counts.failed, "failed"), (counts.errored, "errored"), (counts.skipped, "skipped")]
        {
            if n > 0 {
                parts.push(format!("{n} {word}"));
            }
        }
        self.total.set_message(parts.join(", "));
        let Some(scenario) = scenario else { return };
        if scenario.stage == Stage::Over {
            return self.remove(&key);
        }
        let on = if several { format!(" on {}", key.1) } else { String::new() };
        // What does not fit is cut off at its end, and what it is at stands there.
        let rest = format!("{on}  {}", scenario.phrase());
        let room = look.width.map_or(usize::MAX, |width| width.saturating_sub(rest.width() + 2));
        let text = format!("{}{rest}", look.shorten(&scenario.info.id, room.max(LEAST_NAME)));
        self.bar(key).set_message(tame(&text, false));
    }
}

/// A line, broken where a terminal's width asks for it: files and pipes get it whole.
fn lines(text: &str, look: Look) -> String {
    match look.width {
        Some(_) => look.wrap("", "      ", text),
        None => format!("{text}\n"),
    }
}

/// `kind:calico  nodes: make 3 nodes, 41.2 s`.
fn stage(
    cluster: &str,
    (name, what): (&str, &str),
    took: Option<Duration>,
    failed: bool,
) -> String {
    let mut text = format!("{cluster}  {name}: {what}");
    match took {
        Some(took) if failed => {
            let _ = write!(text, ", failed after {}", duration(took));
        }
        Some(took) => {
            let _ = write!(text, ", done in {}", duration(took));
        }
        None => text += " …",
    }
    text
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╾─")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{expect, expect_file};
    use indicatif::InMemoryTerm;

    use super::*;
    use crate::report::fixture;

    fn shown(lines: &[Line], mut live: Live) -> String {
        let (mut run, mut out) = (Run::default(), Vec::new());
        for line in lines {
            run.fold(line).unwrap();
            live.show(&run, line, &mut out).unwrap();
        }
        live.clear();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_lines() {
        let mut text = String::new();
        for lines in fixture::all() {
            let _ = write!(text, "{}", shown(&lines, Live::plain(Look::PLAIN)));
        }
        expect_file!["../../tests/golden/report/plain-progress.txt"].assert_eq(&text);
    }

    #[test]
    fn a_long_reason_is_given_once() {
        expect_file!["../../tests/golden/report/without-rights-progress.txt"]
            .assert_eq(&shown(&fixture::without_rights(), Live::plain(Look::PLAIN)));
    }

    #[test]
    fn several_clusters_are_told_apart() {
        let text = shown(&fixture::clusters(), Live::plain(Look::PLAIN));
        expect_file!["../../tests/golden/report/clusters-progress.txt"].assert_eq(&text);
    }

    #[test]
    fn bars_show_what_each_cluster_is_at() {
        let term = InMemoryTerm::new(10, 70);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), 255);
        let mut live = Live::drawn(Look::PLAIN, target);
        let (mut run, mut out) = (Run::default(), Vec::new());
        let lines = fixture::clusters();
        let deployed =
            lines.iter().position(|line| matches!(line.event, Event::Deployed { .. })).unwrap();
        let mut shown = Vec::new();
        for line in &lines[..=deployed] {
            run.fold(line).unwrap();
            live.show(&run, line, &mut out).unwrap();
            shown.push(term.contents());
        }
        let (two, one) = (&shown[2], &shown[4]);
        assert!(two.contains("kind:calico  nodes: make 2 nodes …"), "{two}");
        assert!(two.contains("kind:flannel  nodes: make 2 nodes …"), "{two}");
        assert!(one.contains("kind:calico  cni: install calico v3 …"), "{one}");
        assert!(!one.contains("kind:calico  nodes"), "{one}");
        let last = shown.last().unwrap();
        assert!(last.contains("tiered-database on embedded  control"), "{last}");
        assert!(last.contains("0/6 scenarios"), "{last}");
        live.clear();
        assert!(out.is_empty());
    }

    #[test]
    fn a_long_name_gives_way_on_a_terminal_and_stays_whole_elsewhere() {
        let id = format!("cluster-tier/{}special/end", "a-very-long-name,".repeat(6));
        let mut lines = fixture::policy_fault();
        for line in &mut lines {
            if !line.scenario.is_empty() {
                line.scenario.clone_from(&id);
            }
            if let Event::RunStarted { scenarios, .. } = &mut line.event {
                scenarios[0].id.clone_from(&id);
            }
        }
        let look = Look { width: Some(60), color: false };
        for live in [Live::plain(look), Live::drawn(look, ProgressDrawTarget::hidden())] {
            let text = shown(&lines, live);
            assert!(text.lines().all(|line| line.width() <= 60), "{text}");
            assert!(text.starts_with("FAIL  cluster-tier/a-very") && text.contains("…"), "{text}");
        }
        assert!(shown(&lines, Live::plain(Look::PLAIN)).contains(&id));
        let term = InMemoryTerm::new(10, 60);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), 255);
        let (mut live, mut run) = (Live::drawn(look, target), Run::default());
        let begun = |line: &Line| matches!(line.event, Event::StepStarted { .. });
        let until = lines.iter().position(begun).unwrap();
        for line in &lines[..=until] {
            run.fold(line).unwrap();
            live.show(&run, line, &mut Vec::new()).unwrap();
        }
        let text = term.contents();
        assert!(text.contains("/end  step 1 of 1: the database"), "{text}");
        live.clear();
    }

    #[test]
    fn bars_show_the_step_of_each_scenario_and_vanish() {
        let term = InMemoryTerm::new(10, 60);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), 255);
        let mut live = Live::drawn(Look::PLAIN, target);
        let (mut run, mut out) = (Run::default(), Vec::new());
        let lines = fixture::policy_fault();
        let until =
            lines.iter().position(|line| matches!(line.event, Event::StepStarted { .. })).unwrap();
        for line in &lines[..=until] {
            run.fold(line).unwrap();
            live.show(&run, line, &mut out).unwrap();
        }
        let text = term.contents();
        assert!(text.contains("tiered-database  step 1 of 1: the database is fenced"), "{text}");
        assert!(text.contains("0/1 scenarios  0 passed"), "{text}");
        live.clear();
        assert_eq!(term.contents(), "");
        assert!(out.is_empty());
    }

    #[test]
    fn beside_bars_only_what_did_not_pass_gets_a_line() {
        let hidden = || Live::drawn(Look::PLAIN, ProgressDrawTarget::hidden());
        assert_eq!(shown(&fixture::passing(), hidden()), "");
        expect![[r#"
            FAIL  tiered-database  1 step  4 cells  0.31s  2 policy faults
        "#]]
        .assert_eq(&shown(&fixture::policy_fault(), hidden()));
    }
}
