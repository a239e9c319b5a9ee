//! Names that are near a name: "did you mean".

/// The candidate nearest to a word, if it is near enough to be meant.
pub(crate) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let lower = word.to_lowercase();
    // A third of the word may be wrong; a swap of two letters counts as one mistake.
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|name| (strsim::osa_distance(&lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= allowed && *name != word)
        .min()
        .map(|(_, name)| name)
}

/// The sentence "did you mean …?", if a candidate is near.
pub(crate) fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<String> {
    nearest(word, candidates).map(|name| format!("did you mean `{name}`?"))
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
            ("igress", Some("ingress")),
            ("namespaceSelector", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, fields), near, "{word}");
        }
    }
}
