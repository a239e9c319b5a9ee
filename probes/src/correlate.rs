//! What both ends saw, put together.

use std::collections::HashMap;

use crate::Outcome;
use crate::wire::{Arrival, AttemptResult, Round};

/// Turns silence into a lost reply where the attempt's nonce arrived.
///
/// `Dropped` becomes [`Outcome::ReplyLost`], with the source that the listener saw; evidence stays,
/// because it then tells who stopped the reply. Other outcomes stay: whoever got an answer knows
/// better than an arrival. Results without an attempt in the round stay as they are, and
/// arrivals of other rounds do no harm, because no two attempts share a nonce.
pub fn correlate<'a>(
    round: &Round,
    results: &mut [AttemptResult],
    arrivals: impl IntoIterator<Item = &'a Arrival>,
) {
    let arrived: HashMap<u64, &Arrival> =
        arrivals.into_iter().map(|arrival| (arrival.nonce, arrival)).collect();
    if arrived.is_empty() {
        return;
    }
    let nonces: HashMap<u32, u64> =
        round.attempts.iter().map(|attempt| (attempt.id, attempt.nonce)).collect();
    for result in results.iter_mut().filter(|result| result.outcome == Outcome::Dropped) {
        let arrival = nonces.get(&result.id).and_then(|nonce| arrived.get(nonce));
        if let Some(arrival) = arrival {
            result.outcome = Outcome::ReplyLost;
            result.seen_source = Some(arrival.from.ip());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;
    use crate::wire::{Attempt, Evidence};

    fn attempt(id: u32, nonce: u64) -> Attempt {
        Attempt {
            id,
            nonce,
            from: 0,
            protocol: Protocol::Udp,
            target: "10.0.0.2:53".parse().unwrap(),
            expect: "a/b".to_owned(),
        }
    }

    fn result(id: u32, outcome: Outcome, evidence: Option<Evidence>) -> AttemptResult {
        AttemptResult {
            id,
            outcome,
            latency_us: 1,
            local: None,
            seen_source: None,
            evidence,
            tries: 1,
            waited_us: 0,
        }
    }

    #[test]
    fn only_silence_is_reconsidered() {
        let evidence = Evidence { node: "n1".to_owned(), text: "reply".to_owned() };
        let cases = [
            ("silent and arrived", Outcome::Dropped, Some(1), Outcome::ReplyLost),
            ("silent, nothing arrived", Outcome::Dropped, None, Outcome::Dropped),
            ("silent, another nonce arrived", Outcome::Dropped, Some(2), Outcome::Dropped),
            ("connected", Outcome::Connected, Some(1), Outcome::Connected),
            ("refused", Outcome::Refused, Some(1), Outcome::Refused),
        ];
        for (name, outcome, nonce, expected) in cases {
            let round = Round { round: 1, deadline_us: 1, attempts: vec![attempt(7, 1)] };
            let mut results =
                [result(7, outcome, Some(evidence.clone())), result(8, Outcome::Dropped, None)];
            let from = "10.0.0.1:40000".parse().unwrap();
            let arrivals =
                nonce.map(|nonce| Arrival { nonce, protocol: Protocol::Udp, port: 53, from });
            correlate(&round, &mut results, arrivals.iter());
            assert_eq!(results[0].outcome, expected, "{name}");
            assert_eq!(results[0].evidence.as_ref(), Some(&evidence), "{name}");
            let seen = (expected == Outcome::ReplyLost).then(|| from.ip());
            assert_eq!(results[0].seen_source, seen, "{name}");
            assert_eq!(results[1].outcome, Outcome::Dropped, "a result of no attempt");
        }
    }
}
