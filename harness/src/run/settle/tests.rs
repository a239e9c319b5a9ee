use super::*;
use crate::model::{Endpoint, Family, Protocol, Via};

fn cell() -> Cell {
    Cell {
        source: Endpoint::pod("a", "x"),
        destination: Endpoint::pod("a", "y"),
        port: 80,
        protocol: Protocol::Tcp,
        family: Family::Ipv4,
        via: Via::Pod,
    }
}

fn watch(goal: Goal) -> Watch {
    Watch { goal, from_first_instant: false, until_deadline: false, steady: false }
}

/// Plays rounds, one per 100 ms; `c` connects, `d` drops, `r` loses the
/// reply, `?` cannot tell. In rounds of capitals the witness did not connect.
/// The first round that counts starts at `from`.
fn play(watch: Watch, rounds: &str, from: Option<u64>) -> (Settling, bool) {
    play_shown(watch, rounds, from, from)
}

/// As [`play`] does; the first round that shows something starts at `shown`.
fn play_shown(
    watch: Watch,
    rounds: &str,
    shown: Option<u64>,
    from: Option<u64>,
) -> (Settling, bool) {
    let rules = SettleRules { differing: 3, patience: Duration::from_millis(250) };
    let mut settling = Settling::new([(cell(), watch)], rules);
    if let Some(shown) = shown {
        settling.show_from(Duration::from_millis(shown));
    }
    if let Some(from) = from {
        settling.count_from(Duration::from_millis(from), Duration::ZERO);
    }
    let mut now = Duration::ZERO;
    for round in rounds.chars() {
        settling.take(now, !round.is_ascii_uppercase(), &[(cell(), seen(outcome(round)))]);
        now += Duration::from_millis(100);
    }
    let over = settling.is_over(now);
    (settling, over)
}

fn outcome(round: char) -> Outcome {
    match round.to_ascii_lowercase() {
        'c' => Outcome::Connected,
        'd' => Outcome::Dropped,
        'r' => Outcome::ReplyLost,
        _ => Outcome::Broken { reason: "test".into() },
    }
}

fn seen(outcome: Outcome) -> Observation {
    let latency = Duration::from_millis(7);
    Observation { outcome, latency, waited: Duration::ZERO, seen_source: None, evidence: None }
}

fn course(settling: &Settling) -> Course {
    settling.courses(None).remove(&cell()).unwrap().0
}

#[test]
fn two_agreeing_rounds_that_count_settle_a_cell() {
    let differed = |rounds| Course::Differed { rounds };
    let unstable = |changes| Course::Unstable { changes };
    let untold = || Course::Untold("the step's deadline passed before two rounds agreed".into());
    for (goal, rounds, from, expected, over) in [
        (Goal::Deny, "dd", Some(0), Course::Agreed, true),
        (Goal::Deny, "d", Some(0), untold(), false),
        (Goal::Deny, "dddd", None, untold(), false),
        (Goal::Deny, "dddd", Some(300), untold(), false),
        (Goal::Deny, "ccdd", Some(0), Course::Agreed, true),
        (Goal::Deny, "cc", Some(0), differed(2), false),
        (Goal::Deny, "ccc", Some(0), differed(3), true),
        (Goal::Deny, "rrr", Some(0), differed(3), true),
        (Goal::Allow, "ddd", Some(0), differed(3), true),
        (Goal::Allow, "rrr", Some(0), differed(3), true),
        // Patience is 250 ms from the time at which rounds count.
        (Goal::Allow, "dddd", Some(150), differed(2), false),
        (Goal::Deny, "ddc", Some(0), Course::Turned, false),
        (Goal::Deny, "ddccc", Some(0), Course::Turned, true),
        (Goal::Deny, "dcd", Some(0), unstable(2), true),
        // A cell that came back once is unstable, wherever it ends.
        (Goal::Deny, "cdcdc", Some(0), unstable(4), true),
        // Turns before rounds count are no turns.
        (Goal::Deny, "dcddd", Some(200), Course::Agreed, true),
        (Goal::Deny, "???", Some(0), Course::Unclear, true),
        (Goal::Deny, "?dd", Some(0), Course::Agreed, true),
        (Goal::Deny, "d?d", Some(0), untold(), false),
        // Silence without a witness neither agrees, nor differs, nor breaks a row.
        (Goal::Deny, "DDDD", Some(0), untold(), false),
        (Goal::Deny, "dDDD", Some(0), untold(), false),
        (Goal::Deny, "dDd", Some(0), Course::Agreed, true),
        (Goal::Allow, "DDDD", Some(0), untold(), false),
        (Goal::Allow, "cDc", Some(0), Course::Agreed, true),
        (Goal::Deny, "RRRR", Some(0), untold(), false),
        // What connected was heard all the same.
        (Goal::Deny, "CCC", Some(0), differed(3), false),
        (Goal::Deny, "ddCd", Some(0), unstable(2), true),
        (Goal::Allow, "CC", Some(0), Course::Agreed, false),
        (Goal::Free, "cD", Some(0), Course::Free, false),
        (Goal::Free, "cd", Some(0), Course::Free, true),
        (Goal::Free, "c", Some(0), Course::Free, false),
    ] {
        let (settling, is_over) = play(watch(goal), rounds, from);
        assert_eq!(course(&settling), expected, "{goal:?} {rounds} from {from:?}");
        assert_eq!(is_over, over, "{goal:?} {rounds} from {from:?}");
    }
}

#[test]
fn what_connected_before_agreed_once_and_is_left_out_of_the_first_round() {
    let steady = Watch { steady: true, ..watch(Goal::Allow) };
    let differed = |rounds| Course::Differed { rounds };
    for (rounds, expected, over) in [
        ("c", Course::Agreed, true),
        ("ddd", differed(3), true),
        // One that closed has to agree twice again, and what turned is not forgotten.
        ("dc", Course::Untold("the step's deadline passed before two rounds agreed".into()), false),
        ("dcc", Course::Agreed, true),
        ("cd", Course::Turned, false),
        ("cdc", Course::Unstable { changes: 2 }, true),
        ("D", Course::Untold("the step's deadline passed before two rounds agreed".into()), false),
    ] {
        let other = Cell { port: 81, ..cell() };
        let rules = SettleRules { differing: 3, patience: Duration::ZERO };
        let watches = [(cell(), steady), (other.clone(), watch(Goal::Deny))];
        let mut settling = Settling::new(watches, rules);
        assert_eq!(settling.cells().collect::<Vec<_>>(), [&other], "{rounds}");
        settling.show_from(Duration::ZERO);
        settling.count_from(Duration::from_millis(100), Duration::ZERO);
        settling.take(Duration::ZERO, true, &[(other.clone(), seen(Outcome::Dropped))]);
        assert!(settling.agrees_so_far(), "{rounds}");
        assert_eq!(settling.cells().count(), 2, "{rounds}");
        let mut now = Duration::ZERO;
        for round in rounds.chars() {
            now += Duration::from_millis(100);
            let observed =
                [(cell(), seen(outcome(round))), (other.clone(), seen(Outcome::Dropped))];
            settling.take(now, !round.is_ascii_uppercase(), &observed);
        }
        assert_eq!(course(&settling), expected, "{rounds}");
        assert_eq!(settling.is_over(now), over, "{rounds}");
    }
}

#[test]
fn what_closed_before_the_sentinel_flipped_was_not_enforced() {
    let steady = Watch { steady: true, ..watch(Goal::Allow) };
    let rules = SettleRules { differing: 3, patience: Duration::ZERO };
    let mut settling = Settling::new([(cell(), steady)], rules);
    settling.take(Duration::ZERO, true, &[]);
    for round in 1..4 {
        let now = Duration::from_millis(100 * round);
        settling.take(now, true, &[(cell(), seen(Outcome::Dropped))]);
    }
    let (course, _) = settling.courses_unseen("blind").remove(&cell()).unwrap();
    assert_eq!(course, Course::Ignored { rounds: 3, blind: "blind".into() });
}

#[test]
fn the_last_round_that_agrees_counts_and_the_first_shows_the_flip() {
    let untold = || Course::Untold("the step's deadline passed before two rounds agreed".into());
    for (rounds, shown, from, expected, over) in [
        ("dd", 0, 100, Course::Agreed, true),
        ("dd", 0, 200, untold(), false),
        ("dddd", 300, 300, untold(), false),
        ("dcdd", 0, 300, Course::Agreed, true),
        // What changes before rounds count has neither turned nor become unstable.
        ("dcd", 0, 200, untold(), false),
        ("dcdc", 0, 300, untold(), false),
        ("ddc", 0, 100, Course::Turned, false),
        // Silence without a witness shows nothing.
        ("Dd", 0, 100, untold(), false),
        ("d?d", 0, 200, untold(), false),
    ] {
        let (settling, is_over) = play_shown(watch(Goal::Deny), rounds, Some(shown), Some(from));
        assert_eq!(course(&settling), expected, "{rounds} shown {shown} from {from}");
        assert_eq!(is_over, over, "{rounds} shown {shown} from {from}");
    }
}

#[test]
fn a_new_pod_is_isolated_from_its_first_instant() {
    let watch = Watch { from_first_instant: true, ..watch(Goal::Deny) };
    let (settling, _) = play(watch, "dcdd", Some(200));
    assert_eq!(course(&settling), Course::Leaked { at: Duration::from_millis(100) });
    let (settling, _) = play(watch, "d?dd", Some(200));
    assert_eq!(course(&settling), Course::Agreed);
}

#[test]
fn the_allows_of_a_new_pod_may_be_late() {
    let watch = Watch { until_deadline: true, ..watch(Goal::Allow) };
    assert!(!play(watch, "dddddd", Some(0)).1);
    assert!(play(watch, "dddddcc", Some(0)).1);
}

#[test]
fn the_time_to_agree_is_that_of_the_first_round_of_the_last_run() {
    let time = |goal, rounds| play(watch(goal), rounds, Some(200)).0.last_to_agree([&cell()]);
    assert_eq!(time(Goal::Deny, "ccdd"), Some(Duration::from_millis(200)));
    assert_eq!(time(Goal::Deny, "dcdd"), Some(Duration::from_millis(200)));
    assert_eq!(time(Goal::Deny, "dddd"), Some(Duration::ZERO));
    assert_eq!(time(Goal::Allow, "ddcc"), Some(Duration::from_millis(207)));
    assert_eq!(time(Goal::Deny, "cccc"), None);
    assert_eq!(time(Goal::Deny, "ddcd"), None);
}
