//! What files hold, in one number: to tell whether two runs had the same scenarios.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a text, in hexadecimal digits.
pub fn digest_of_text(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// The SHA-256 of a list, in hexadecimal digits: of a line `DIGEST  NAME` for each entry, in the
/// order of the names, as `sha256sum` prints them.
pub fn digest_of_list(entries: &BTreeMap<String, String>) -> String {
    let mut hasher = Sha256::new();
    for (name, digest) in entries {
        hasher.update(format!("{digest}  {name}\n"));
    }
    hex(&hasher.finalize())
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the shell does it: `sha256sum policy.yaml scenario.yaml | sha256sum`.
    #[test]
    fn a_digest_is_that_of_sha256sum() {
        let files = [("scenario.yaml", "name: a\n"), ("policy.yaml", "")];
        let files = files.map(|(name, text)| (name.to_owned(), digest_of_text(text)));
        let own = "2bc58217ca817085330ceaf377fe06ad1ce1dee6b6c6f45cee91f3c1055a71ac";
        assert_eq!(digest_of_list(&files.into()), own);
    }
}
