//! Labels, and selectors that match some of them or almost do.

use super::draw::Draw;
use crate::model::{LabelSelector, Labels, NAMESPACE_NAME_LABEL, Operator, Requirement};

/// The keys of labels, few enough that selectors often match.
pub const KEYS: [&str; 3] = ["app", "tier", "team"];

/// The values of labels.
pub const VALUES: [&str; 3] = ["a", "b", "c"];

/// Random labels; each key is there as often as not, or somewhat more often.
pub fn labels(draw: &mut Draw) -> Labels {
    let mut labels = Labels::new();
    for key in KEYS {
        if !draw.once_in(3) {
            labels.insert(key.to_owned(), (*draw.pick(&VALUES)).to_owned());
        }
    }
    labels
}

/// A selector that is about these labels: each of its conditions holds, save that at times one
/// of them does not. At times it is about no labels in particular.
pub fn selector(draw: &mut Draw, about: &Labels) -> LabelSelector {
    let mut selector = LabelSelector::everything();
    let conditions = match draw.below(10) {
        0 => 0,
        1..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    let misses = draw.once_in(3).then(|| draw.below(conditions.max(1)));
    for number in 0..conditions {
        condition(draw, &mut selector, about, misses == Some(number));
    }
    selector
}

/// As [`selector`]; at times by the label that every namespace has of itself.
pub(super) fn namespace_selector(draw: &mut Draw, about: &Labels) -> LabelSelector {
    match about.get(NAMESPACE_NAME_LABEL) {
        Some(name) if draw.once_in(4) => LabelSelector::label(NAMESPACE_NAME_LABEL, name),
        _ => selector(draw, about),
    }
}

/// Adds a condition that holds of the labels, or one that almost does.
fn condition(draw: &mut Draw, selector: &mut LabelSelector, about: &Labels, misses: bool) {
    let key = (*draw.pick(&KEYS)).to_owned();
    let own = about.get(&key).map(String::as_str);
    let others: Vec<&str> = VALUES.into_iter().filter(|value| Some(*value) != own).collect();
    let other = (*draw.pick(&others)).to_owned();
    // What holds where the label is there holds not where it is absent, and the reverse.
    let expression = match (own.map(str::to_owned), misses) {
        (Some(own), false) => match draw.below(6) {
            0..=2 => {
                selector.match_labels.insert(key, own);
                return;
            }
            3 => (Operator::In, one_or_two(draw, own, other)),
            4 => (Operator::NotIn, vec![other]),
            _ => (Operator::Exists, Vec::new()),
        },
        (Some(own), true) => match draw.below(5) {
            0 | 1 => {
                selector.match_labels.insert(key, other);
                return;
            }
            2 => (Operator::In, vec![other]),
            3 => (Operator::NotIn, one_or_two(draw, own, other)),
            _ => (Operator::DoesNotExist, Vec::new()),
        },
        (None, false) if draw.once_in(2) => (Operator::DoesNotExist, Vec::new()),
        (None, false) => (Operator::NotIn, vec![other]),
        (None, true) => match draw.below(3) {
            0 => {
                selector.match_labels.insert(key, other);
                return;
            }
            1 => (Operator::Exists, Vec::new()),
            _ => (Operator::In, vec![other]),
        },
    };
    let (operator, values) = expression;
    selector.match_expressions.push(Requirement { key, operator, values });
}

/// The value, with the other beside it at times, in either order.
fn one_or_two(draw: &mut Draw, value: String, other: String) -> Vec<String> {
    match draw.below(4) {
        0 => vec![value, other],
        1 => vec![other, value],
        _ => vec![value],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_selectors_match_what_they_are_about_and_many_almost_do() {
        let mut draw = Draw::new(1);
        let (mut matching, mut kept_out) = (0, 0);
        for _ in 0..1000 {
            let labels = labels(&mut draw);
            match selector(&mut draw, &labels).matches(&labels) {
                true => matching += 1,
                false => kept_out += 1,
            }
        }
        assert!(matching > 500 && kept_out > 150, "{matching} match, {kept_out} do not");
    }
}
