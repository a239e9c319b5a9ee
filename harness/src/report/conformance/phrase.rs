//! Words that the renderings share.

use super::model::Standing;
use crate::run::{Level, Reason};

/// What alone decides a cell, after "decided by".
pub(super) const fn decided_by(by: Reason) -> &'static str {
    match by {
        Reason::Rule => "the tested rule alone",
        Reason::NoRule => "isolation alone, there being no rule",
        Reason::Peer => "the rule's peers alone",
        Reason::Port => "the rule's ports alone",
        Reason::Protocol => "the rule's protocol alone",
        Reason::Family => "the address family of the rule's peers alone",
        Reason::Target => "the policy's podSelector alone",
        Reason::Types => "the policy's types alone",
        Reason::Open => "nothing: the API leaves it open",
    }
}

/// As in `must-if-declared`.
pub(super) fn level(level: Level) -> String {
    level.to_string()
}

/// A profile's result in one word.
pub(super) const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Success => "success",
        Standing::Partial => "partial",
        Standing::Failure => "failure",
    }
}

/// A text as one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn an_identifier_is_one_word_of_a_shell() {
        assert_eq!(quoted("ingress/plain"), "ingress/plain");
        assert_eq!(quoted("ingress/peer=except,port=name"), "ingress/peer=except,port=name");
        assert_eq!(quoted("failed cases/a"), "'failed cases/a'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
