//! Names that are near a name: "did you mean".

/// The candidates nearest to a word, if they are near enough to be meant; all
/// that are equally near, in their own order.
fn all_nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Vec<&'c str> {
    let lower = word.to_lowercase();
    // A third of the word may be wrong; a swap of two letters counts as one mistake.
    let allowed = (word.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .map(|name| (strsim::osa_distance(&lower, &name.to_lowercase()), name))
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
            0 => None,
            1..=12 => Some(format!("expected one of {}", names.join(", "))),
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
