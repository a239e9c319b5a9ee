//! Compares what must hold all the time with what was seen.

use std::fmt::Write as _;
use std::time::Duration;

use crate::cluster::{Moment, Timeline};
use crate::model::{Intent, Outcome, Verdict};

use super::super::judge::{Because, Control};
use super::super::paths::Paths;
use super::super::settings::WATCHED_SILENCE;
use super::super::{Finding, Manner, Watched, WatchedCell, Window};
use super::sight::{Glass, Sight, Stalls, stretches};
use super::throughout::When;
use super::{Ask, Seen, Watching};

/// Why a pod that comes is shut from its first instant.
const ISOLATED_FIRST: &str = "\"All newly created pods affected by a given NetworkPolicy will be isolated before they are started.\" (concepts/services-networking/network-policies, Pod lifecycle)";

/// Why the allows of a pod that comes may be late.
const ALLOWS_LATER: &str = "\"Allow rules will be applied eventually after the isolation rules\" (concepts/services-networking/network-policies, Pod lifecycle)";

/// Why a change may be late.
const HANDLED_LATER: &str = "\"When a new NetworkPolicy object is created, it may take some time for a network plugin to handle the new object.\" (concepts/services-networking/network-policies, Pod lifecycle)";

/// Why a connection may survive a new deny, or not.
const IMPLEMENTATION_DEFINED: &str = "\"it is implementation defined as to whether the change will take effect for that existing connection or not\" (concepts/services-networking/network-policies, NetworkPolicy's impact on existing connections)";

/// Why some silence is not a fault.
const LOST: &str = "no two attempts in a row were lost on their way there: a single packet that is lost, or a pod that is too busy to answer in time, looks the same";

/// How many uses of a connection show what becomes of it under a new deny.
const USES: usize = 2;

/// How specified and seen stand to each other.
enum Wire {
    Agrees,
    Differs,
    /// For this reason.
    CannotTell(String),
}

/// Judges what a step watched. A path without control stays untried for this reason.
pub(in super::super) fn watched(
    watching: &Watching,
    paths: &Paths,
    untried: &str,
    strict: bool,
    because: Because,
) -> Watched {
    let seen = &watching.seen;
    let Timeline { asked, accepted, .. } = seen.timeline;
    let bench =
        Bench { watching, stalls: Stalls::of(&seen.witness, seen.timeline.blur), strict, because };
    let judge = |ask: &Ask| {
        let control = match paths.control(&ask.path) {
            Some(control) => control.clone(),
            None => Control::Untried(untried.to_owned()),
        };
        bench.judge(ask, &control)
    };
    Watched {
        asked,
        accepted,
        blur: seen.timeline.blur,
        interval: seen.watch.interval,
        deadline: seen.watch.deadline,
        cells: watching.asks.iter().map(judge).collect(),
    }
}

struct Bench<'a> {
    watching: &'a Watching,
    stalls: Stalls,
    strict: bool,
    because: Because,
}

impl Bench<'_> {
    fn moments(&self, ask: &Ask, manner: Manner) -> &[Moment] {
        let Watching { order, seen, .. } = self.watching;
        let (cells, moments) = match manner {
            Manner::Held => (&order.held, &seen.timeline.held),
            Manner::Tried => (&order.tried, &seen.timeline.tried),
        };
        let at = cells.iter().position(|cell| *cell == ask.question.cell);
        at.and_then(|at| moments.get(at)).map_or(&[], Vec::as_slice)
    }

    fn judge(&self, ask: &Ask, control: &Control) -> WatchedCell {
        let asked = self.watching.seen.timeline.asked;
        let moments = self.moments(ask, ask.manner);
        // A pod of its name may have gone before it came.
        let first = moments.iter().map(|moment| moment.at).find(|at| *at >= asked);
        let since = first.filter(|_| ask.comes).unwrap_or(asked);
        let sight = self.sight(ask.manner, ask.specified(), since, moments);
        let wire = match ask.manner {
            Manner::Held => self.held(ask, moments, &sight),
            Manner::Tried => self.tried(ask, &sight),
        };
        let wire = match control {
            // What got through shows that the path is open, whatever was seen of it elsewhere.
            _ if sight.through.attempts > 0 => wire,
            Control::NeverOpen(last) => Wire::CannotTell(format!(
                "the path never opened without policies (last seen: {last})"
            )),
            Control::Untried(reason) => {
                Wire::CannotTell(format!("the path was never shown to be open: {reason}"))
            }
            Control::Open => wire,
        };
        let finding = self.finding(ask, &wire);
        let why = (finding != Finding::Agrees).then(|| self.why(ask, &sight, &wire));
        WatchedCell {
            cell: ask.question.cell.clone(),
            manner: ask.manner,
            intended: ask.intended,
            rule: ask.rule.clone(),
            specified: ask.specified(),
            comes: ask.comes,
            since,
            through: sight.through,
            stopped: sight.stopped,
            open: sight.last,
            turned: sight.turned,
            finding,
            told: told(ask, &sight, self.watching.seen.timeline.blur),
            why,
            stretches: stretches(moments),
        }
    }

    /// Which part of the time of a tried cell was not seen, where there is one.
    fn unseen(&self, ask: &Ask) -> Option<&str> {
        let Watching { order, seen, .. } = self.watching;
        let at = order.tried.iter().position(|cell| *cell == ask.question.cell)?;
        seen.timeline.unseen.get(&at).map(String::as_str)
    }

    fn sight(
        &self,
        manner: Manner,
        specified: Option<Intent>,
        since: Duration,
        moments: &[Moment],
    ) -> Sight {
        let Seen { timeline, watch, .. } = &self.watching.seen;
        let hasty = watch.deadline < WATCHED_SILENCE;
        let (accepted, stalls) = (timeline.accepted, &self.stalls);
        let glass = Glass { specified, since, accepted, hasty, stalls };
        // One use that is not answered yet, at the very end, cuts no connection: TCP goes on
        // sending, and the answer may come behind it.
        let unanswered = |last: &Moment| last.seen.outcome == Outcome::Dropped;
        let whole = Sight::of(moments, glass);
        match moments.split_last() {
            Some((last, rest)) if manner == Manner::Held && unanswered(last) => {
                let without = Sight::of(rest, glass);
                if without.last == Some(true) { without } else { whole }
            }
            _ => whole,
        }
    }

    /// A connection: whether it was there, and whether it still is. What a new deny does to
    /// it shows only after new connections were seen denied.
    fn held(&self, ask: &Ask, moments: &[Moment], sight: &Sight) -> Wire {
        let asked = self.watching.seen.timeline.asked;
        let before = moments.iter().filter(|moment| moment.at < asked);
        if let Some(shut) = before.clone().find(|one| !one.seen.outcome.is_connected()) {
            let what = if moments.first() == Some(shut) { "be opened" } else { "last" };
            return Wire::CannotTell(format!(
                "the connection could not {what} even before the changes: {}",
                shut.seen.outcome
            ));
        }
        let Some(last) = sight.last.filter(|_| before.count() > 0) else {
            return Wire::CannotTell(nothing(sight));
        };
        if ask.specified() == Some(Intent::Allow) {
            return if last { Wire::Agrees } else { Wire::Differs };
        }
        let denied = ask.question.specified.verdict == Verdict::Deny;
        let fresh = self.fresh(ask);
        if denied && fresh.last != Some(false) {
            return Wire::CannotTell(
                "new connections were not seen denied while it was watched, so the change may not have been in force".to_owned(),
            );
        }
        if denied && last && self.used_since(moments, &fresh) < USES {
            return Wire::CannotTell(format!(
                "it was used less than {USES} times after new connections were denied"
            ));
        }
        Wire::Agrees
    }

    /// A tried cell. Where it must stay shut, what gets through once is a fault, and nothing got
    /// through only where enough was tried after the cluster had accepted the changes. Where
    /// it must stay open, silence that attempts met alone may be packets that were lost.
    fn tried(&self, ask: &Ask, sight: &Sight) -> Wire {
        let (differs, lost) = match ask.specified() {
            Some(Intent::Deny) => (sight.through.attempts > 0, false),
            Some(Intent::Allow) => (sight.firm > 0, sight.stopped.attempts > 0),
            Some(Intent::Any) | None => (false, false),
        };
        let doubt = self.watching.doubt.as_deref().filter(|_| sight.last == Some(false));
        let lost = lost.then_some(LOST);
        match lost.or(self.unseen(ask)).or(doubt) {
            _ if differs => Wire::Differs,
            _ if sight.late == 0 => Wire::CannotTell(nothing(sight)),
            Some(reason) => Wire::CannotTell(reason.to_owned()),
            None => Wire::Agrees,
        }
    }

    /// What became of new connections in place of a held one.
    fn fresh(&self, ask: &Ask) -> Sight {
        let asked = self.watching.seen.timeline.asked;
        let moments = self.moments(ask, Manner::Tried);
        self.sight(Manner::Tried, Some(Intent::Any), asked, moments)
    }

    /// How often a connection was used when new ones were denied already.
    fn used_since(&self, moments: &[Moment], fresh: &Sight) -> usize {
        let since = fresh.since + fresh.turned.unwrap_or_default();
        moments.iter().filter(|moment| moment.at >= since).count()
    }

    fn finding(&self, ask: &Ask, wire: &Wire) -> Finding {
        let open = ask.specified() == Some(Intent::Any);
        let agree = ask.specified() == Some(ask.intended);
        match wire {
            _ if ask.specified().is_none() => Finding::Inconclusive,
            Wire::Differs => Finding::EnforcementFault,
            _ if ask.against().is_some() => Finding::PolicyFault,
            _ if !agree && (!open || self.strict) => Finding::PolicyFault,
            Wire::CannotTell(_) => Finding::Inconclusive,
            Wire::Agrees if !agree => Finding::NotPortable,
            Wire::Agrees if open => Finding::Choice,
            Wire::Agrees => Finding::Agrees,
        }
    }

    fn why(&self, ask: &Ask, sight: &Sight, wire: &Wire) -> String {
        let Ask { question, manner, comes, .. } = ask;
        let specified = ask.specified();
        let mut text = String::new();
        if specified != Some(ask.intended) {
            let _ = write!(text, "`watch` wants {} all the time ({}), and ", ask.intended, ask.at);
        }
        let because = (self.because)(&question.cell, &question.specified);
        let against = ask.against();
        if let Some((verdict, when)) = against {
            let _ = write!(text, "the policies {verdict} it {when}: ");
        }
        text += &match (specified, manner, comes) {
            (Some(Intent::Any), ..) if matches!(against, Some((_, When::After))) => because,
            (None, ..) => format!("what the policies specify is not known all the time: {because}"),
            (Some(Intent::Deny), _, true) => format!(
                "the policies deny it, and were handled before the pod was made: {because}; {ISOLATED_FIRST}"
            ),
            (Some(Intent::Deny), ..) => {
                format!("the policies deny it before, after and at every change between: {because}")
            }
            (Some(Intent::Allow), Manner::Held, _) => format!(
                "the policies allow it before, after and at every change between, so nothing is to be cut: {because}"
            ),
            (Some(Intent::Allow), ..) => {
                format!(
                    "the policies allow it before, after and at every change between: {because}"
                )
            }
            (Some(Intent::Any), Manner::Held, _) => IMPLEMENTATION_DEFINED.to_owned(),
            (Some(Intent::Any), _, true) if question.specified.verdict == Verdict::Allow => {
                ALLOWS_LATER.to_owned()
            }
            (Some(Intent::Any), ..) => HANDLED_LATER.to_owned(),
        };
        if let Wire::CannotTell(reason) = wire {
            let _ = write!(text, "; it could not be told: {reason}");
        }
        if let (Wire::Differs, Some(stop), Some(Intent::Allow)) = (wire, &sight.stop, specified) {
            let _ = write!(text, "; {}", stop.outcome);
            if let Some(evidence) = &stop.evidence {
                let _ = write!(text, " (node `{}`: {})", evidence.node, evidence.text);
            }
        }
        text
    }
}

/// Why nothing was seen that counts.
fn nothing(sight: &Sight) -> String {
    match &sight.broken {
        Some(broken) => broken.clone(),
        None => "nothing was seen after the changes but silence in which pods that no policy selects were not heard either".to_owned(),
    }
}

/// `3.2 ms`.
fn ms(duration: Option<Duration>) -> String {
    format!("{:.1} ms", duration.unwrap_or_default().as_secs_f64() * 1e3)
}

/// `3 of 40 attempts got through, from 1.0 ms to 8.2 ms after …`.
fn part(window: &Window, of: usize, what: &str, after: &str) -> String {
    let (first, last) = (ms(window.first), ms(window.last));
    let when = match window.attempts {
        0 => return format!("none of {of} attempts {what}"),
        1 => format!(", {last} {after}"),
        _ => format!(", from {first} to {last} {after}"),
    };
    format!("{} of {of} attempts {what}{when}", window.attempts)
}

/// What became of it, with its numbers.
fn told(ask: &Ask, sight: &Sight, blur: Duration) -> String {
    let all = sight.attempts();
    let (through, stopped) = (sight.through, sight.stopped);
    let after = match ask.comes {
        true => "after the pod had an address".to_owned(),
        false if blur.is_zero() => "after the changes were asked for".to_owned(),
        false => format!(
            "after the changes were asked for (up to {} more: clocks are not known better)",
            ms(Some(blur))
        ),
    };
    let after = after.as_str();
    let turned = ms(sight.turned);
    let Some(open) = sight.last else { return "nothing was seen that says anything".to_owned() };
    match (ask.manner, ask.specified()) {
        (Manner::Held, _) if !open => {
            let uses = if through.attempts == 1 { "use" } else { "uses" };
            format!("is cut {turned} {after}, after {} {uses}", through.attempts)
        }
        (Manner::Held, _) => match stopped.attempts {
            0 => format!("survives, used {all} times since"),
            n => format!("survives, used {all} times since, {n} not answered in time"),
        },
        (Manner::Tried, Some(Intent::Allow)) => part(&stopped, all, "got stopped", after),
        (Manner::Tried, Some(Intent::Deny)) => part(&through, all, "got through", after),
        (Manner::Tried, _) if open => match stopped.attempts {
            0 => part(&stopped, all, "got stopped", after),
            n => format!("opens {turned} {after}; {n} of {all} attempts got stopped"),
        },
        (Manner::Tried, _) => match through.attempts {
            0 => part(&through, all, "got through", after),
            n => format!("closes {turned} {after}; {n} of {all} attempts got through"),
        },
    }
}
