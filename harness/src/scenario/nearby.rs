//! Names that are near a name: "did you mean".

/// The candidates nearest to a word, if they are near enough to be meant; all
/// that are equally near, in their own order.
fn all_nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Vec<&'c str> {
    let lower = word.to_lowercase();
    // A third of the word may be wrong; a swap of two letters counts as one mistake.
    let allowed = (word.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .map(|name| {
            let candidate = name.to_lowercase();
            // `proto` for `protocol`: a start of three letters or more is near.
            let abbreviates = lower.len() >= 3 && candidate.starts_with(&lower);
            let distance = if abbreviates { 1 } else { strsim::osa_distance(&lower, &candidate) };
            (distance, name)
        })
        .filter(|(distance, name)| *distance <= allowed && *name != word)
        .collect();
    near.sort();
    near.dedup();
    let best = near.first().map_or(0, |(distance, _)| *distance);
    near.into_iter().filter(|(distance, _)| *distance == best).map(|(_, name)| name).collect()
}

/// The candidate nearest to a word, if it is near enough to be meant.
pub(crate) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    all_nearest(word, candidates).first().copied()
}

/// The sentence "did you mean …?", if a candidate is near.
pub(crate) fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<String> {
    let near = all_nearest(word, candidates);
    let near: Vec<String> = near.iter().take(3).map(|name| format!("`{name}`")).collect();
    (!near.is_empty()).then(|| format!("did you mean {}?", near.join(" or ")))
}

/// The near name, or else all of them where they are few.
pub(crate) fn near_or_all<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str> + Clone,
) -> Option<String> {
    did_you_mean(word, candidates.clone()).or_else(|| {
        let names: Vec<String> = candidates.into_iter().map(|name| format!("`{name}`")).collect();
        match names.len() {
            // One name would only repeat what was expected.
            0 | 1 => None,
            2..=12 => Some(format!("expected one of {}", names.join(", "))),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let fields = ["podSelector", "policyTypes", "ingress", "egress", "to", "from"];
        for (word, near) in [
            ("podSelecter", Some("podSelector")),
            ("podselector", Some("podSelector")),
            ("policyType", Some("policyTypes")),
            ("form", Some("from")),
            ("pod", Some("podSelector")),
            ("namespaceSelector", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, fields), near, "{word}");
        }
        assert_eq!(
            did_you_mean("igress", fields).as_deref(),
            Some("did you mean `egress` or `ingress`?")
        );
    }
}
