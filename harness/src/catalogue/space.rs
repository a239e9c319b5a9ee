//! Spaces of cases: axes, one value of each, and which combinations are tried: each feature by
//! itself, and every pair.
//!
//! Covering arrays are found greedily (Cohen, Dalal, Fredman and Patton, "The AETG System",
//! 1997), without randomness: the same space gives the same combinations.

use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Declares the axes of a space, of which one is the direction: `Feature`, `Combination`,
/// `Partial`.
macro_rules! space {
    (
        axes { $($(#[$doc:meta])* $axis:ident $field:ident $text:literal $of:ty: $all:expr,)+ }
        outside { $($(#[$note:meta])* $other:ident($what:ty),)+ }
    ) => {
        /// One value of one axis, or what a case is about that stands outside the axes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Feature {
            $($(#[$doc])* $axis($of),)+
            $($(#[$note])* $other($what),)+
        }

        /// One value of each axis.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct Combination { $($(#[$doc])* pub $field: $of,)+ }

        /// Values of some axes.
        #[derive(Debug, Clone, Copy, Default)]
        pub(super) struct Partial { $(pub(super) $field: Option<$of>,)+ }

        impl crate::catalogue::space::Partial for Partial {
            type Feature = Feature;
            type Combination = Combination;

            fn set(&mut self, feature: Feature) -> bool {
                match feature {
                    $(Feature::$axis(value) => *self.$field.get_or_insert(value) == value,)+
                    $(Feature::$other(_) => false,)+
                }
            }

            fn replace(&mut self, feature: Feature) {
                match feature {
                    $(Feature::$axis(value) => self.$field = Some(value),)+
                    $(Feature::$other(_) => {})+
                }
            }

            fn open(&self) -> Option<Vec<Feature>> {
                $(if self.$field.is_none() {
                    return Some($all.iter().copied().map(Feature::$axis).collect());
                })+
                None
            }

            fn whole(self) -> Option<Combination> {
                Some(Combination { $($field: self.$field?,)+ })
            }

            fn values(&self) -> Vec<Feature> {
                let mut values = Vec::new();
                $(values.extend(self.$field.map(Feature::$axis));)+
                values
            }

            fn features(whole: &Combination) -> std::collections::BTreeSet<Feature> {
                whole.features()
            }

            fn axis(feature: Feature) -> &'static str {
                feature.axis()
            }

            fn is_optional(feature: Feature) -> bool {
                feature.is_optional()
            }

            fn is_implied(feature: Feature, by: Feature) -> bool {
                feature.is_implied(by)
            }

            fn is_hidden(features: &std::collections::BTreeSet<Feature>, of: [Feature; 2]) -> bool {
                Feature::is_hidden(features, of)
            }
        }

        impl Combination {
            /// The value of every axis, in the order of the axes.
            pub(super) fn values(&self) -> Vec<Feature> {
                vec![$(Feature::$axis(self.$field),)+]
            }

            /// What of it stands in an identifier behind the direction: every feature that is
            /// not plain.
            fn told(&self) -> String {
                let told = self.features().into_iter();
                let told = told.filter(|f| !f.is_plain() && !matches!(f, Feature::Direction(_)));
                let told: Vec<String> = told.map(|feature| feature.to_string()).collect();
                if told.is_empty() { "plain".to_owned() } else { told.join(",") }
            }
        }

        impl std::fmt::Display for Feature {
            /// As in identifiers: `peer=every-pod`.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}={}", self.axis(), self.value())
            }
        }

        impl Feature {
            /// Every value of every axis, axis by axis, the plainest first.
            pub fn all() -> Vec<Self> {
                let mut all = Vec::new();
                $(all.extend($all.iter().copied().map(Self::$axis));)+
                all
            }

            /// The name of its axis.
            pub const fn axis(self) -> &'static str {
                match self {
                    $(Self::$axis(_) => $text,)+
                    $(Self::$other(value) => value.axis(),)+
                }
            }

            /// The name of its value.
            pub fn value(self) -> String {
                match self {
                    $(Self::$axis(value) => value.to_string().to_lowercase(),)+
                    $(Self::$other(value) => value.value(),)+
                }
            }

            /// Whether it is its axis's plainest value.
            pub fn is_plain(self) -> bool {
                match self {
                    $(Self::$axis(value) => $all.first() == Some(&value),)+
                    $(Self::$other(value) => value.is_plain(),)+
                }
            }
        }
    };
}

pub(super) use space;

/// Values of some axes of a space.
pub(super) trait Partial: Copy {
    /// One value of one axis.
    type Feature: Copy + Ord;
    /// One value of each axis.
    type Combination: Copy + Ord;

    /// Sets an axis; `false` where it has another value already, or is no axis.
    fn set(&mut self, feature: Self::Feature) -> bool;

    /// Sets the axis of a feature, whatever it was.
    fn replace(&mut self, feature: Self::Feature);

    /// Every value of the first axis that has none.
    fn open(&self) -> Option<Vec<Self::Feature>>;

    /// The combination, where every axis has a value.
    fn whole(self) -> Option<Self::Combination>;

    /// The values that there are.
    fn values(&self) -> Vec<Self::Feature>;

    /// What a case of a combination tests.
    fn features(whole: &Self::Combination) -> BTreeSet<Self::Feature>;

    /// The name of a feature's axis.
    fn axis(feature: Self::Feature) -> &'static str;

    /// Whether a cluster may be without it.
    fn is_optional(feature: Self::Feature) -> bool;

    /// Whether the other feature cannot be had without it.
    fn is_implied(feature: Self::Feature, by: Self::Feature) -> bool;

    /// Whether a case with these features does not show these two of them.
    fn is_hidden(features: &BTreeSet<Self::Feature>, of: [Self::Feature; 2]) -> bool;
}

/// A part of a space: the values that are fixed, and the features that are combined.
pub(super) struct Part<P: Partial> {
    /// Why values cannot occur together, as far as it is settled by them already.
    pub(super) exclusion: fn(&P) -> Option<&'static str>,
    pub(super) fixed: P,
    pub(super) features: Vec<P::Feature>,
}

/// The pairs of a space's features, the lesser first.
type Pairs<P> = BTreeSet<(<P as Partial>::Feature, <P as Partial>::Feature)>;

impl<P: Partial> Part<P> {
    /// Every pair of features of different axes that can occur together.
    pub(super) fn pairs(&self) -> Vec<(P::Feature, P::Feature)> {
        let mut pairs = Vec::new();
        for (at, one) in self.features.iter().enumerate() {
            for other in &self.features[at + 1..] {
                if P::axis(*one) != P::axis(*other) && self.possible(*one, *other).is_ok() {
                    pairs.push((*one, *other));
                }
            }
        }
        pairs
    }

    /// Whether two features can occur together.
    pub(super) fn possible(&self, one: P::Feature, other: P::Feature) -> Result<(), &'static str> {
        let mut values = self.fixed;
        if !values.set(one) || !values.set(other) {
            return Err("an axis has one value at a time");
        }
        if let Some(sentence) = (self.exclusion)(&values) {
            return Err(sentence);
        }
        match self.plainest(&[one, other]) {
            Some(_) => Ok(()),
            None => Err("no third feature goes with both of them"),
        }
    }

    /// The plainest combination that has these features.
    pub(super) fn plainest(&self, features: &[P::Feature]) -> Option<P::Combination> {
        let mut values = self.fixed;
        features.iter().all(|feature| values.set(*feature)).then_some(())?;
        self.complete(values, &|_, open| open, &|whole| {
            let own = P::features(whole);
            features.iter().all(|feature| own.contains(feature))
        })
    }

    /// Each feature among the plainest others.
    pub(super) fn singles(&self) -> BTreeSet<P::Combination> {
        self.features.iter().filter_map(|feature| self.plainest(&[*feature])).collect()
    }

    /// The chosen, then as many as it takes for every pair that can occur together.
    pub(super) fn every_pair(&self, chosen: BTreeSet<P::Combination>) -> Vec<P::Combination> {
        let mut missing: Pairs<P> = self.pairs().into_iter().collect();
        let mut chosen: Vec<P::Combination> = chosen.into_iter().collect();
        chosen.iter().for_each(|one| strike::<P>(&mut missing, one));
        while let Some(pair) = missing.first().copied() {
            let Some(next) = self.with(pair, &missing) else {
                missing.remove(&pair);
                continue;
            };
            strike::<P>(&mut missing, &next);
            chosen.push(next);
        }
        chosen
    }

    /// A combination that has a pair and, axis by axis, the value that adds most of the missing.
    fn with(&self, pair: (P::Feature, P::Feature), missing: &Pairs<P>) -> Option<P::Combination> {
        let mut values = self.fixed;
        (values.set(pair.0) && values.set(pair.1)).then_some(())?;
        let prefer = |values: &P, mut open: Vec<P::Feature>| {
            let have = values.values();
            let gain = |feature: &P::Feature| {
                let new = have
                    .iter()
                    .filter(|one| missing.contains(&(**one.min(&feature), **one.max(&feature))));
                new.count()
            };
            // What a cluster may lack comes last, since it hides the other pairs (see `covers`).
            // Stable: among equals the plainer comes first.
            open.sort_by_key(|feature| (P::is_optional(*feature), Reverse(gain(feature))));
            open
        };
        self.complete(values, &prefer, &|whole| covers::<P>(&P::features(whole), pair))
    }

    /// Gives every axis that is open a value, in the order that `prefer` puts them in, such that
    /// all can occur together and `accept` takes the whole.
    fn complete(
        &self,
        values: P,
        prefer: &impl Fn(&P, Vec<P::Feature>) -> Vec<P::Feature>,
        accept: &impl Fn(&P::Combination) -> bool,
    ) -> Option<P::Combination> {
        if (self.exclusion)(&values).is_some() {
            return None;
        }
        let Some(open) = values.open() else { return values.whole().filter(accept) };
        prefer(&values, open).into_iter().find_map(|feature| {
            let mut next = values;
            next.replace(feature);
            self.complete(next, prefer, accept)
        })
    }
}

/// Takes the pairs that a combination tests from those that are missing.
fn strike<P: Partial>(missing: &mut Pairs<P>, one: &P::Combination) {
    let features = P::features(one);
    missing.retain(|pair| !covers::<P>(&features, *pair));
}

/// Whether a case with these features tests a pair of them: it asks a cluster for no feature
/// that it may lack, but those of the pair. Otherwise a cluster without IPv6, say, would leave
/// pairs untested that have nothing to do with it.
pub(super) fn covers<P: Partial>(
    features: &BTreeSet<P::Feature>,
    (one, other): (P::Feature, P::Feature),
) -> bool {
    let own = |feature: &P::Feature| {
        [one, other].iter().any(|of| of == feature || P::is_implied(*feature, *of))
    };
    features.contains(&one)
        && features.contains(&other)
        && !P::is_hidden(features, [one, other])
        && features.iter().all(|feature| !P::is_optional(*feature) || own(feature))
}
