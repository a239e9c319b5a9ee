//! What a run of the tests must not ignore: `RINGFENCE_REQUIRE`.

/// Whether a test that would be ignored for want of `what` fails instead: whether the
/// variable, words with commas between them, names it.
pub(crate) fn required(what: &str) -> bool {
    std::env::var("RINGFENCE_REQUIRE")
        .is_ok_and(|words| words.split(',').any(|word| word.trim() == what))
}
