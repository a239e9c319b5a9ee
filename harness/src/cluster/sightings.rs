//! What was kept of a watch, turn by turn, as moments.

use std::collections::HashMap;
use std::time::Duration;

use ringfence_probe::wire::{Arrival, Stretch};
use ringfence_probe::{Outcome, Pace};

use super::Moment;
use crate::model::Observation;

/// Every turn of these stretches, by when the turns began. Those of turns that are not known
/// are left out.
pub(super) fn moments(turns: &[Duration], stretches: &[Stretch]) -> Vec<Moment> {
    let mut moments = Vec::new();
    for (turn, stretch) in each(stretches) {
        let Some(at) = turns.get(turn as usize) else { continue };
        moments.push(Moment { at: *at, seen: Observation::from(stretch.seen.clone()) });
    }
    moments
}

/// Turns silence into a lost reply where the request arrived.
pub(super) fn heard(
    moments: &mut [Moment],
    stretches: &[Stretch],
    pace: &Pace,
    id: u32,
    arrived: &HashMap<u64, &Arrival>,
) {
    for ((turn, stretch), moment) in each(stretches).zip(moments) {
        if stretch.seen.outcome != Outcome::Dropped {
            continue;
        }
        if let Some(arrival) = arrived.get(&pace.nonce(turn, id)) {
            moment.seen.outcome = Outcome::ReplyLost;
            moment.seen.seen_source = Some(arrival.from.ip());
        }
    }
}

/// Each turn with its stretch.
fn each(stretches: &[Stretch]) -> impl Iterator<Item = (u32, &Stretch)> {
    stretches.iter().flat_map(|stretch| {
        let end = stretch.first.saturating_add(stretch.turns);
        (stretch.first..end).map(move |turn| (turn, stretch))
    })
}

#[cfg(test)]
mod tests {
    use ringfence_probe::Protocol;
    use ringfence_probe::wire::AttemptResult;

    use super::*;

    #[test]
    fn silence_is_a_lost_reply_where_its_nonce_arrived() {
        let seen = |outcome| AttemptResult {
            id: 2,
            outcome,
            latency_us: 20_000,
            local: None,
            seen_source: None,
            evidence: None,
            tries: 1,
            waited_us: 0,
        };
        let stretches = [
            Stretch { first: 1, turns: 2, seen: seen(Outcome::Connected) },
            Stretch { first: 3, turns: 3, seen: seen(Outcome::Dropped) },
        ];
        let ms = Duration::from_millis;
        let turns: Vec<Duration> = (0..6).map(|turn| ms(10 * turn)).collect();
        let pace = Pace {
            interval: ms(1),
            deadline: ms(20),
            before: ms(0),
            limit: ms(1000),
            nonce: 1000,
            stride: 4,
        };
        let arrival = |turn| Arrival {
            nonce: pace.nonce(turn, 2),
            protocol: Protocol::Udp,
            port: 53,
            from: "10.0.0.1:4000".parse().unwrap(),
        };
        // One that was answered has arrived, too.
        let arrivals = [arrival(2), arrival(4)];
        let arrived = arrivals.iter().map(|arrival| (arrival.nonce, arrival)).collect();
        let mut found = moments(&turns, &stretches);
        heard(&mut found, &stretches, &pace, 2, &arrived);
        let found: Vec<_> = found.into_iter().map(|it| (it.at, it.seen.outcome)).collect();
        assert_eq!(
            found,
            [
                (ms(10), Outcome::Connected),
                (ms(20), Outcome::Connected),
                (ms(30), Outcome::Dropped),
                (ms(40), Outcome::ReplyLost),
                (ms(50), Outcome::Dropped),
            ]
        );
    }
}
