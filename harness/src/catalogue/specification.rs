//! Sentences of the specification, word for word.

/// A sentence of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiSentence {
    /// The sentence, word for word.
    pub text: &'static str,
    /// Where it stands: a type and field of the API reference, or a page of the documentation.
    pub source: &'static str,
}

/// Declares sentences: the name of each, where it stands, and its words.
macro_rules! sentences {
    ($($name:ident: $source:expr, $text:literal;)+) => {
        $(static $name: $crate::catalogue::specification::ApiSentence =
            $crate::catalogue::specification::ApiSentence { text: $text, source: $source };)+
    };
}

pub(super) use sentences;
