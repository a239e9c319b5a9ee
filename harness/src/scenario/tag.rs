//! Tags that say more than a word to choose scenarios by.

use super::nearby::nearest;

/// A scenario that depends on the names of its namespaces: it runs only where they can be
/// had, on clusters made for the run.
pub(crate) const EXACT_NAMES: &str = "exact-names";

/// A scenario whose pods may open raw sockets (`NET_RAW`), which SCTP needs where the kernel
/// has no sockets for it.
pub(crate) const NET_RAW: &str = "net-raw";

/// All of them.
const HEEDED: [&str; 2] = [EXACT_NAMES, NET_RAW];

/// The tag that was probably meant by one that nothing heeds. Since tags are free words, the
/// start of one is not enough.
pub(super) fn meant(tag: &str) -> Option<&'static str> {
    nearest(tag, HEEDED).filter(|near| near.len() <= tag.len() + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_words_stay_free() {
        for (tag, near) in [
            ("exact-name", Some(EXACT_NAMES)),
            ("extact-names", Some(EXACT_NAMES)),
            ("netraw", Some(NET_RAW)),
            ("net-rw", Some(NET_RAW)),
            (EXACT_NAMES, None),
            (NET_RAW, None),
            ("exact", None),
            ("net", None),
            ("network", None),
            ("named-ports", None),
            ("by-hand", None),
        ] {
            assert_eq!(meant(tag), near, "{tag}");
        }
    }
}
