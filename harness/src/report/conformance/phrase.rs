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
        Reason::Above => "what comes before the tested rule",
        Reason::HostNetwork => "an end that is in its node's network alone",
        Reason::Itself => "its ends alone, which are one pod",
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

/// The options that name a cluster, which has these faults; one that exists needs an image.
pub(super) fn on<'a>(cluster: &str, faults: impl Iterator<Item = &'a str>) -> String {
    let faults: String = faults.map(|fault| format!(" --fault {fault}")).collect();
    match cluster {
        // Only the embedded one can be faulty, and its name says so.
        _ if !faults.is_empty() => faults,
        "embedded" => String::new(),
        other if other.starts_with("kubeconfig") => {
            format!(" --on {} --agent-image IMAGE", quoted(other))
        }
        other => format!(" --on {}", quoted(other)),
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
    use super::{on, quoted};

    #[test]
    fn a_cluster_is_named_by_options() {
        let text = |cluster, faults: &[&'static str]| on(cluster, faults.iter().copied());
        assert_eq!(text("embedded", &[]), "");
        assert_eq!(text("embedded with a, b", &["a", "b"]), " --fault a --fault b");
        assert_eq!(text("kind:calico", &[]), " --on kind:calico");
        assert_eq!(text("kubeconfig:lab", &[]), " --on kubeconfig:lab --agent-image IMAGE");
    }

    #[test]
    fn an_identifier_is_one_word_of_a_shell() {
        assert_eq!(quoted("ingress/plain"), "ingress/plain");
        assert_eq!(quoted("ingress/peer=except,port=name"), "ingress/peer=except,port=name");
        assert_eq!(quoted("failed cases/a"), "'failed cases/a'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
