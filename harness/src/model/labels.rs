//! Labels and label selectors (`meta/v1` `LabelSelector`).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A set of labels.
pub type Labels = BTreeMap<String, String>;

/// The label that the API server puts on every namespace: its own name
/// (KEP-2161, "immutable label selectors for all namespaces").
pub const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The operator of a selector requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operator {
    /// The label is there and its value is one of the values.
    In,
    /// The label is not there, or its value is none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

/// One entry of `matchExpressions`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How the key relates to the values.
    pub operator: Operator,
    /// The values; empty for `Exists` and `DoesNotExist`.
    pub values: Vec<String>,
}

impl Requirement {
    /// Whether these labels satisfy the requirement.
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            Operator::In => value.is_some_and(|value| self.values.contains(value)),
            // "values other than `frontend` and `backend`, and all resources with no labels with
            // the `tier` key" (concepts/overview/working-with-objects/labels).
            Operator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

impl fmt::Display for Requirement {
    /// As kubectl writes it: `tier in (a,b)`, `tier notin (a)`, `tier`, `!tier`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, operator, values } = self;
        match operator {
            Operator::In => write!(f, "{key} in ({})", values.join(",")),
            Operator::NotIn => write!(f, "{key} notin ({})", values.join(",")),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
        }
    }
}

/// A label selector. "The result of matchLabels and matchExpressions are ANDed.
/// An empty label selector matches all objects." (`meta/v1` `LabelSelector`)
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LabelSelector {
    /// Labels that must be present with exactly these values.
    pub match_labels: Labels,
    /// Requirements that must all hold.
    pub match_expressions: Vec<Requirement>,
}

impl LabelSelector {
    /// The empty selector, which matches every object.
    pub fn everything() -> Self {
        Self::default()
    }

    /// A selector of one `matchLabels` pair.
    pub fn label(key: &str, value: &str) -> Self {
        Self {
            match_labels: Labels::from([(key.to_owned(), value.to_owned())]),
            match_expressions: Vec::new(),
        }
    }

    /// Whether the selector has no requirement at all.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether these labels satisfy every requirement.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }
}

impl fmt::Display for LabelSelector {
    /// As kubectl writes it, `app=web,tier in (a,b)`; `{}` for the empty selector.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("{}");
        }
        let labels = self.match_labels.iter().map(|(key, value)| format!("{key}={value}"));
        let expressions = self.match_expressions.iter().map(Requirement::to_string);
        f.write_str(&labels.chain(expressions).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        text.split(',')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').expect("a label is `key=value`"))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    fn matching(text: &str) -> LabelSelector {
        LabelSelector { match_labels: labels(text), match_expressions: Vec::new() }
    }

    fn expressions(list: &[(&str, Operator, &[&str])]) -> LabelSelector {
        let match_expressions = list.iter().map(|(key, operator, values)| Requirement {
            key: (*key).to_owned(),
            operator: *operator,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        });
        LabelSelector {
            match_labels: Labels::new(),
            match_expressions: match_expressions.collect(),
        }
    }

    /// The cases of k8s.io/apimachinery v0.37.2 `pkg/labels/selector_test.go` that a
    /// `LabelSelector` can say: `TestSelectorMatches`, `TestSetMatches`,
    /// `TestEverything` and `TestRequirementSelectorMatching`. (`>` and `<` are not in
    /// `LabelSelector`; `x!=y` is `x notin (y)`, `x` is `Exists`, `!x` is `DoesNotExist`.)
    #[test]
    fn selectors_match_as_kubernetes_has_them() {
        use Operator::{DoesNotExist, Exists, In, NotIn};
        let foo = "foo=bar,baz=blah";
        for (selector, set, expected) in [
            // TestEverything, TestSelectorMatches
            (LabelSelector::everything(), "x=y", true),
            (LabelSelector::everything(), "", true),
            (matching("x=y"), "x=y", true),
            (matching("x=y,z=w"), "x=y,z=w", true),
            (expressions(&[("x", NotIn, &["y"]), ("z", NotIn, &["w"])]), "x=z,z=a", true),
            (matching("notin=in"), "notin=in", true),
            (expressions(&[("x", Exists, &[])]), "x=z", true),
            (expressions(&[("x", DoesNotExist, &[])]), "y=z", true),
            (matching("x=z"), "", false),
            (matching("x=y"), "x=z", false),
            (matching("x=y,z=w"), "x=w,z=w", false),
            (expressions(&[("x", NotIn, &["y"]), ("z", NotIn, &["w"])]), "x=z,z=w", false),
            (expressions(&[("x", Exists, &[])]), "y=z", false),
            (expressions(&[("x", DoesNotExist, &[])]), "x=z", false),
            (matching("foo=bar"), foo, true),
            (matching("baz=blah"), foo, true),
            (matching("foo=bar,baz=blah"), foo, true),
            (matching("foo=blah"), foo, false),
            (matching("baz=bar"), foo, false),
            (matching("foo=bar,foobar=bar,baz=blah"), foo, false),
            // TestRequirementSelectorMatching
            (expressions(&[("x", In, &["foo"]), ("y", NotIn, &["alpha"])]), "x=foo,y=baz", true),
            (expressions(&[("x", In, &["foo"]), ("y", In, &["alpha"])]), "x=foo,y=baz", false),
            (expressions(&[("x", NotIn, &[""]), ("y", Exists, &[])]), "y=", true),
            (expressions(&[("x", DoesNotExist, &[]), ("y", Exists, &[])]), "y=", true),
            (expressions(&[("x", NotIn, &[""]), ("y", DoesNotExist, &[])]), "y=", false),
            (expressions(&[("x", In, &[""])]), "y=baz", false),
            // NotIn also matches where the key is missing; an empty value is a value.
            (expressions(&[("x", NotIn, &["y"])]), "", true),
            (expressions(&[("x", In, &[""])]), "x=", true),
            (expressions(&[("x", In, &["a", "b"])]), "x=b", true),
            (matching("x="), "", false),
            // Values and keys are compared by case.
            (matching("x=Y"), "x=y", false),
            (matching("X=y"), "x=y", false),
        ] {
            assert_eq!(selector.matches(&labels(set)), expected, "`{selector}` on `{set}`");
        }
    }

    /// `TestLabelSelectorAsSelector` (k8s.io/apimachinery `pkg/apis/meta/v1`): labels and
    /// expressions are ANDed.
    #[test]
    fn labels_and_expressions_must_both_hold() {
        let mut both = expressions(&[("baz", Operator::In, &["qux", "norf"])]);
        both.match_labels = labels("foo=bar");
        assert_eq!(both.to_string(), "foo=bar,baz in (qux,norf)");
        for (set, expected) in [
            ("foo=bar,baz=qux", true),
            ("foo=bar,baz=norf", true),
            ("foo=bar", false),
            ("baz=qux", false),
            ("foo=bar,baz=other", false),
        ] {
            assert_eq!(both.matches(&labels(set)), expected, "`{both}` on `{set}`");
        }
    }

    #[test]
    fn selectors_read_as_kubectl_writes_them() {
        use Operator::{DoesNotExist, Exists, NotIn};
        assert_eq!(LabelSelector::everything().to_string(), "{}");
        let selector =
            expressions(&[("a", NotIn, &["b"]), ("c", Exists, &[]), ("d", DoesNotExist, &[])]);
        assert_eq!(selector.to_string(), "a notin (b),c,!d");
    }
}
