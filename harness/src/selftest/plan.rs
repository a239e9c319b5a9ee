//! What is run, and with which faults.

use std::collections::BTreeSet;
use std::time::Duration;

use super::detector::{BOUND, detector};
use crate::catalogue::Case;
use crate::cluster::embedded::Fault;

/// A dataplane with faults, and the cases that it is run against, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The faults.
    pub faults: Vec<Fault>,
    /// The cases' identifiers.
    pub cases: Vec<String>,
    /// How long a step may take to be enforced.
    pub bound: Duration,
}

/// What a selftest runs before it knows of any result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// One for each fault, with all cases that are meant to catch it.
    pub trials: Vec<Trial>,
    /// The cases that are run without a fault.
    pub fault_free: Vec<String>,
}

/// Of the cases that are meant to catch a fault, so many are run without one.
const MEANT: usize = 2;

/// So many cases are run without a fault where every fault is asked for.
const FAULT_FREE: usize = 240;

/// So many pairs of faults are tried.
const PAIRS: usize = 8;

impl Plan {
    /// What is run for these faults. Without a fault, the cases run that are to catch the
    /// first; where every fault is asked for, others are drawn to go with them.
    pub fn new(cases: &[Case], faults: &[Fault], seed: u64) -> Self {
        let mut trials = Vec::with_capacity(faults.len());
        let mut fault_free = BTreeSet::new();
        for fault in faults {
            let detector = detector(*fault);
            let meant = detector.choose(cases).into_iter().map(|case| case.id.clone());
            let meant: Vec<String> = meant.collect();
            fault_free.extend(meant.iter().take(MEANT).cloned());
            trials.push(Trial { faults: vec![*fault], cases: meant, bound: detector.bound });
        }
        if faults.len() == Fault::ALL.len() {
            let mut others: Vec<&Case> = cases.iter().collect();
            fastrand::Rng::with_seed(seed).shuffle(&mut others);
            let mut others = others.into_iter();
            while fault_free.len() < FAULT_FREE
                && let Some(other) = others.next()
            {
                fault_free.insert(other.id.clone());
            }
        }
        Self { trials, fault_free: fault_free.into_iter().collect() }
    }

    /// Every fault against every case.
    pub fn sweep(cases: &[Case], faults: &[Fault]) -> Vec<Trial> {
        let all: Vec<String> = cases.iter().map(|case| case.id.clone()).collect();
        let trial = |fault: &Fault| Trial {
            faults: vec![*fault],
            cases: all.clone(),
            bound: detector(*fault).bound,
        };
        faults.iter().map(trial).collect()
    }

    /// Pairs of faults that were caught, each with the two cases that caught one of them
    /// alone, in the order of the faults. The same for the same seed.
    pub fn pairs(caught: &[(Fault, String)], seed: u64) -> Vec<Trial> {
        let mut pairs = Vec::new();
        for (place, first) in caught.iter().enumerate() {
            pairs.extend(caught[place + 1..].iter().map(|second| [first, second]));
        }
        // Another stream than that which draws cases.
        fastrand::Rng::with_seed(!seed).shuffle(&mut pairs);
        pairs.truncate(PAIRS);
        let trial = |pair: [&(Fault, String); 2]| {
            let bounds = pair.map(|(fault, _)| detector(*fault).bound);
            Trial {
                faults: pair.iter().map(|(fault, _)| *fault).collect(),
                cases: pair.iter().map(|(_, case)| case.clone()).collect(),
                bound: bounds.into_iter().min().unwrap_or(BOUND),
            }
        };
        pairs.into_iter().map(trial).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::cases;

    #[test]
    fn without_a_fault_run_the_cases_that_are_meant_and_as_many_others() {
        let cases = cases().unwrap();
        let some = Plan::new(&cases, &[Fault::OwnNodeBlocked, Fault::SameRangeRulesMerged], 7);
        assert_eq!(
            some.fault_free,
            [
                "special/own-node",
                "special/same-range-twice,egress",
                "special/same-range-twice,ingress"
            ]
        );
        let all = Plan::new(&cases, Fault::ALL, 7);
        assert_eq!((all.trials.len(), all.fault_free.len()), (Fault::ALL.len(), FAULT_FREE));
        assert_eq!(all, Plan::new(&cases, Fault::ALL, 7));
        assert_ne!(all.fault_free, Plan::new(&cases, Fault::ALL, 8).fault_free);
    }

    #[test]
    fn pairs_are_of_two_faults_and_follow_from_the_seed() {
        let caught: Vec<(Fault, String)> =
            Fault::ALL.iter().map(|fault| (*fault, format!("case of {fault}"))).collect();
        let pairs = Plan::pairs(&caught, 7);
        assert_eq!(pairs.len(), PAIRS);
        for pair in &pairs {
            let [first, second] = pair.faults.as_slice() else { panic!("{pair:?}") };
            assert!(first < second, "{pair:?}");
            assert_eq!(pair.cases, [format!("case of {first}"), format!("case of {second}")]);
            assert_eq!(pair.bound, detector(*first).bound.min(detector(*second).bound));
        }
        assert_eq!(pairs, Plan::pairs(&caught, 7));
        assert_ne!(pairs, Plan::pairs(&caught, 8));
        assert_eq!(Plan::pairs(&caught[..1], 7), []);
        assert_eq!(Plan::pairs(&caught[..2], 7).len(), 1);
    }
}
