//! Runs in which connections were watched while something changed.

use std::time::Duration;

use super::super::fixture;
use crate::model::{Intent, Outcome};
use crate::run::{
    Counts, Event, Finding, Line, Manner, Status, Stretch, Watched, WatchedCell, Window,
};

const MS: fn(u64) -> Duration = Duration::from_millis;

const ISOLATED: &str = "`prod/db-policy` at scenarios/tiered-database/db-policy.yaml:1:5 isolates prod/db for ingress and no rule allows it";

/// Attempts from and to a moment, in tenths of a millisecond.
fn window(attempts: usize, tenths: [u64; 2]) -> Window {
    let at = |tenths| (attempts > 0).then(|| Duration::from_micros(tenths * 100));
    Window { attempts, first: at(tenths[0]), last: at(tenths[1]) }
}

struct Told(&'static str, Manner, Intent, Option<Intent>, Window, Window, bool, Finding);

fn cell(told: Told, comes: bool, words: &str, why: Option<&str>) -> WatchedCell {
    let Told(cell, manner, intended, specified, through, stopped, open, finding) = told;
    let turned = if open { through.first } else { stopped.first };
    let seen = [(through, Outcome::Connected), (stopped, Outcome::Dropped)];
    let stretches = seen.into_iter().filter_map(|(window, outcome)| {
        Some(Stretch {
            from: MS(30) + window.first?,
            until: MS(30) + window.last?,
            attempts: window.attempts,
            outcome,
        })
    });
    WatchedCell {
        cell: cell.parse().unwrap(),
        manner,
        intended,
        rule: format!("{intended} {}", cell.split(" over").next().unwrap_or_default()),
        specified,
        comes,
        since: MS(30),
        through,
        stopped,
        open: Some(open),
        turned,
        finding,
        told: words.to_owned(),
        why: why.map(str::to_owned),
        stretches: stretches.collect(),
    }
}

fn of(status: Status, watched: Vec<WatchedCell>) -> Vec<Line> {
    let mut lines = fixture::passing();
    let result = status;
    let failed = usize::from(result == Status::Failed);
    for line in &mut lines {
        match &mut line.event {
            Event::StepJudged { watched: place, status, .. } => {
                *status = result;
                *place = Some(Watched {
                    asked: MS(30),
                    accepted: MS(32),
                    blur: MS(0),
                    interval: MS(2),
                    deadline: MS(100),
                    cells: watched.clone(),
                });
            }
            Event::ScenarioFinished { status, .. } => *status = result,
            Event::RunFinished { counts, exit_code, .. } => {
                *counts = Counts { passed: 1 - failed, failed, ..Counts::default() };
                *exit_code = u8::from(failed > 0);
            }
            _ => {}
        }
    }
    lines
}

/// Everything as it should be, and measured.
pub(crate) fn watched() -> Vec<Line> {
    use Finding::{Agrees, Choice};
    use Intent::{Allow, Any, Deny};
    let none = Window::default();
    let defined = "\"it is implementation defined\"";
    let late = "\"it may take some time\"";
    of(
        Status::Passed,
        vec![
            cell(
                Told(
                    "prod/web -> prod/db:3306/TCP over ipv4",
                    Manner::Held,
                    Any,
                    Some(Any),
                    window(90, [3, 3290]),
                    none,
                    true,
                    Choice,
                ),
                false,
                "survives, used 90 times since",
                Some(defined),
            ),
            cell(
                Told(
                    "prod/web -> prod/db:53/UDP over ipv4",
                    Manner::Held,
                    Any,
                    Some(Any),
                    window(2, [3, 23]),
                    window(3, [43, 2040]),
                    false,
                    Choice,
                ),
                false,
                "is cut 4.3 ms after the changes were asked for, after 2 uses",
                Some(defined),
            ),
            cell(
                Told(
                    "prod/web -> prod/db:3306/TCP over ipv4",
                    Manner::Tried,
                    Any,
                    Some(Any),
                    window(2, [3, 23]),
                    window(88, [43, 3290]),
                    false,
                    Choice,
                ),
                false,
                "closes 4.3 ms after the changes were asked for; 2 of 90 attempts got through",
                Some(late),
            ),
            cell(
                Told(
                    "prod/api -> prod/db:3306/TCP over ipv4",
                    Manner::Tried,
                    Allow,
                    Some(Allow),
                    window(90, [3, 3290]),
                    none,
                    true,
                    Agrees,
                ),
                false,
                "none of 90 attempts got stopped",
                None,
            ),
            cell(
                Told(
                    "prod/web -> prod/new:3306/TCP over ipv4",
                    Manner::Tried,
                    Deny,
                    Some(Deny),
                    none,
                    window(61, [0, 3290]),
                    false,
                    Agrees,
                ),
                true,
                "none of 61 attempts got through",
                None,
            ),
        ],
    )
}

/// A new pod that is reached, a connection that is cut for nothing, and one that never was.
pub(crate) fn watched_faults() -> Vec<Line> {
    use Finding::{EnforcementFault, Inconclusive};
    use Intent::{Allow, Any, Deny};
    let why = |text: &str| format!("{text}: {ISOLATED}");
    of(
        Status::Failed,
        vec![
            cell(
                Told(
                    "prod/web -> prod/new:3306/TCP over ipv4",
                    Manner::Tried,
                    Deny,
                    Some(Deny),
                    window(12, [212, 684]),
                    window(49, [0, 3290]),
                    false,
                    EnforcementFault,
                ),
                true,
                "12 of 61 attempts got through, from 21.2 ms to 68.4 ms after the pod had an address",
                Some(
                    &(why("the policies deny it, and were handled before the pod was made")
                        + "; \"All newly created pods affected by a given NetworkPolicy will be isolated before they are started.\" (concepts/services-networking/network-policies, Pod lifecycle)"),
                ),
            ),
            cell(
                Told(
                    "prod/api -> prod/db:3306/TCP over ipv4",
                    Manner::Held,
                    Allow,
                    Some(Allow),
                    window(1, [3, 3]),
                    window(3, [23, 2040]),
                    false,
                    EnforcementFault,
                ),
                false,
                "is cut 2.3 ms after the changes were asked for, after 1 use",
                Some(
                    "the policies allow it before, after and at every change between, so nothing is to be cut: no policy isolates prod/api for egress; dropped",
                ),
            ),
            cell(
                Told(
                    "prod/web -> prod/db:3306/TCP over ipv4",
                    Manner::Held,
                    Any,
                    Some(Any),
                    window(90, [3, 3290]),
                    Window::default(),
                    true,
                    Inconclusive,
                ),
                false,
                "survives, used 90 times since",
                Some(
                    "\"it is implementation defined\"; it could not be told: new connections were not seen denied while it was watched, so the change may not have been in force",
                ),
            ),
        ],
    )
}
