//! Attempts that are made together, as many as agents can take.

use std::collections::BTreeMap;

use ringfence_probe::agent::session::MOST_ATTEMPTS;

use super::planned::Planned;
use crate::model::Endpoint;

/// The most attempts at one destination. An agent tells of 100,000 arrivals at once, and an
/// attempt that meets silence is made twice.
const MOST_ARRIVALS: usize = 48_000;

/// Cuts the attempts with these numbers into windows, in order: in each, no agent has to make
/// more attempts than it takes, and none has more arrivals to tell of than it can.
pub(super) fn windows(planned: &[Planned], numbers: Vec<usize>) -> Vec<Vec<usize>> {
    cut(planned, numbers, MOST_ATTEMPTS, MOST_ARRIVALS)
}

fn cut(
    planned: &[Planned],
    numbers: Vec<usize>,
    most_from: usize,
    most_to: usize,
) -> Vec<Vec<usize>> {
    let mut windows = Vec::new();
    let mut window = Vec::new();
    let mut from: BTreeMap<&Endpoint, usize> = BTreeMap::new();
    let mut to: BTreeMap<&Endpoint, usize> = BTreeMap::new();
    for number in numbers {
        let Planned { source, destination, .. } = &planned[number];
        let full = from.get(source).is_some_and(|count| *count >= most_from)
            || to.get(destination).is_some_and(|count| *count >= most_to);
        if full {
            windows.push(std::mem::take(&mut window));
            from.clear();
            to.clear();
        }
        *from.entry(source).or_default() += 1;
        *to.entry(destination).or_default() += 1;
        window.push(number);
    }
    if !window.is_empty() {
        windows.push(window);
    }
    windows
}

#[cfg(test)]
mod tests {
    use ringfence_probe::Protocol;

    use super::*;

    fn planned(cells: &[(&str, &str)]) -> Vec<Planned> {
        let planned = |(source, destination): &(&str, &str)| Planned {
            source: Endpoint::pod("a", source),
            destination: Endpoint::pod("a", destination),
            protocol: Protocol::Tcp,
            target: "127.0.0.1:80".parse().unwrap(),
            expect: String::new(),
        };
        cells.iter().map(planned).collect()
    }

    #[test]
    fn nothing_is_cut_that_fits() {
        let planned = planned(&[("x", "y"), ("y", "x"), ("z", "x")]);
        assert_eq!(cut(&planned, vec![0, 2], 2, 2), [[0, 2]]);
        assert!(cut(&planned, Vec::new(), 2, 2).is_empty());
    }

    #[test]
    fn neither_end_gets_too_much() {
        let from = planned(&[("x", "a"), ("x", "b"), ("y", "a"), ("x", "c"), ("y", "b")]);
        assert_eq!(cut(&from, (0..5).collect(), 2, 9), [vec![0, 1, 2], vec![3, 4]]);
        let to = planned(&[("a", "x"), ("b", "x"), ("a", "y"), ("c", "x"), ("b", "y")]);
        assert_eq!(cut(&to, (0..5).collect(), 9, 2), [vec![0, 1, 2], vec![3, 4]]);
    }
}
