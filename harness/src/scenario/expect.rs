//! The grammar of `expect` and `faults` rules.
//!
//! ```text
//! rule  = INTENT SOURCE "->" DESTINATION [":" PORT] ["via" WAY] ["over" FAMILY]
//! INTENT = allow | deny | any
//! SOURCE, DESTINATION = * | */* | NAMESPACE/* | */NAME | NAMESPACE/NAME
//!                     | NAME (an external host) | node/NAME | node/*
//! PORT  = NUMBER[-NUMBER][/PROTOCOL] | NAME | */PROTOCOL
//! WAY   = pod | service | nodeport | nodeport-local
//! FAMILY = ipv4 | ipv6
//! ```

use super::nearby::near_or_all;
use super::{EndpointPattern, ExpectRule, PortPattern};
use crate::model::{Family, Intent, Name, Origin, PodName, Protocol, Via};

/// A rule without the place it was written at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) intent: Intent,
    pub(crate) source: EndpointPattern,
    pub(crate) destination: EndpointPattern,
    pub(crate) port: Option<PortPattern>,
    pub(crate) via: Option<Via>,
    pub(crate) family: Option<Family>,
}

impl Rule {
    /// The rule with the text that it was read from, and the place of that.
    pub(crate) fn written(self, text: String, origin: Origin) -> ExpectRule {
        let Self { intent, source, destination, port, via, family } = self;
        ExpectRule { text, intent, source, destination, port, via, family, origin }
    }
}

/// A word that the grammar does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadWord {
    /// Where the word starts, in characters from the rule's start.
    pub(crate) at: u32,
    /// How long it is.
    pub(crate) width: u32,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// A word of a rule and where it starts, in characters.
#[derive(Debug, Clone, Copy)]
struct Word<'t> {
    text: &'t str,
    at: usize,
}

fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

impl<'t> Word<'t> {
    fn bad(self, message: String) -> BadWord {
        let width = narrow(self.text.chars().count().max(1));
        BadWord { at: narrow(self.at), width, message, help: None }
    }

    fn expected(self, what: &str, names: &[&str]) -> BadWord {
        let found =
            if self.text.is_empty() { "the end".to_owned() } else { format!("`{}`", self.text) };
        let help = near_or_all(self.text, names.iter().copied());
        BadWord { help, ..self.bad(format!("expected {what}, found {found}")) }
    }

    /// The part of the word from a byte on.
    fn from(self, byte: usize) -> Self {
        Self { text: &self.text[byte..], at: self.at + self.text[..byte].chars().count() }
    }

    /// The part of the word up to a byte.
    fn to(self, byte: usize) -> Self {
        Self { text: &self.text[..byte], at: self.at }
    }
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, (byte, c)) in text.char_indices().enumerate() {
        if c.is_whitespace() {
            if let Some((from, at)) = start.take() {
                words.push(Word { text: &text[from..byte], at });
            }
        } else if start.is_none() {
            start = Some((byte, at));
        }
    }
    if let Some((from, at)) = start {
        words.push(Word { text: &text[from..], at });
    }
    words
}

/// Reads a rule.
pub(crate) fn parse(text: &str) -> Result<Rule, BadWord> {
    let end = Word { text: "", at: text.trim_end().chars().count() };
    let words = words(text);
    let mut words = words.into_iter();
    let mut next = || words.next().unwrap_or(end);

    let word = next();
    let intent = match word.text {
        "allow" => Intent::Allow,
        "deny" => Intent::Deny,
        "any" => Intent::Any,
        _ => return Err(word.expected("`allow`, `deny` or `any`", &["allow", "deny", "any"])),
    };
    let word = next();
    if let Some(colon) = word.text.find(':') {
        let bad = word.from(colon).bad("a source has no port".to_owned());
        return Err(BadWord { help: Some("ports are the destination's".to_owned()), ..bad });
    }
    let source = endpoint(word)?;
    let arrow = next();
    if arrow.text != "->" {
        return Err(arrow.expected("`->`", &["->"]));
    }
    let word = next();
    let (destination, port) = match word.text.find(':') {
        Some(colon) => (endpoint(word.to(colon))?, Some(port(word.from(colon + 1))?)),
        None => (endpoint(word)?, None),
    };
    let mut rule = Rule { intent, source, destination, port, via: None, family: None };
    loop {
        let word = next();
        match word.text {
            "" => return Ok(rule),
            "via" if rule.via.is_none() => {
                let way = next();
                rule.via = Some(match way.text {
                    "pod" => Via::Pod,
                    "service" => Via::Service,
                    "nodeport" => Via::NodePort,
                    "nodeport-local" => Via::LocalNodePort,
                    _ => {
                        let names = ["pod", "service", "nodeport", "nodeport-local"];
                        return Err(way
                            .expected("`pod`, `service`, `nodeport` or `nodeport-local`", &names));
                    }
                });
            }
            "over" if rule.family.is_none() => {
                let family = next();
                rule.family = Some(match family.text {
                    "ipv4" => Family::Ipv4,
                    "ipv6" => Family::Ipv6,
                    _ => return Err(family.expected("`ipv4` or `ipv6`", &["ipv4", "ipv6"])),
                });
            }
            _ => return Err(word.expected("`via …`, `over …` or the end", &["via", "over"])),
        }
    }
}

fn endpoint(word: Word<'_>) -> Result<EndpointPattern, BadWord> {
    let form = "`*`, `NAMESPACE/NAME`, `node/NAME` or an external host";
    let name = |word: Word<'_>| {
        let known = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if word.text.is_empty() || !word.text.chars().all(known) {
            return Err(BadWord { help: None, ..word.expected(form, &[]) });
        }
        Ok(Name::from(word.text))
    };
    let Some(slash) = word.text.find('/') else {
        return match word.text {
            "*" => Ok(EndpointPattern::Any),
            "->" => Err(word.expected(form, &[])),
            _ => Ok(EndpointPattern::External(name(word)?)),
        };
    };
    let (left, right) = (word.to(slash), word.from(slash + 1));
    Ok(match (left.text, right.text) {
        ("*", "*") => EndpointPattern::AnyPod,
        ("*", _) => EndpointPattern::PodsNamed(name(right)?),
        ("node", "*") => EndpointPattern::Node(None),
        ("node", _) => EndpointPattern::Node(Some(name(right)?)),
        (_, "*") => EndpointPattern::Namespace(name(left)?),
        _ => EndpointPattern::Pod(PodName { namespace: name(left)?, name: name(right)? }),
    })
}

fn protocol(word: Word<'_>) -> Result<Protocol, BadWord> {
    word.text.parse().map_err(|_| word.expected("`TCP`, `UDP` or `SCTP`", &["TCP", "UDP", "SCTP"]))
}

fn port(word: Word<'_>) -> Result<PortPattern, BadWord> {
    let (ports, protocol_word) = match word.text.find('/') {
        Some(slash) => (word.to(slash), Some(word.from(slash + 1))),
        None => (word, None),
    };
    if ports.text == "*" {
        let Some(word) = protocol_word else {
            let bad = ports.bad("`:*` says nothing".to_owned());
            let help = "leave it out for every port, or write `:*/UDP` for those of a protocol";
            return Err(BadWord { help: Some(help.to_owned()), ..bad });
        };
        return Ok(PortPattern::Protocol { protocol: protocol(word)? });
    }
    if ports.text.contains(|c: char| c.is_ascii_lowercase()) {
        if let Some(word) = protocol_word {
            let at = Word { text: word.text, at: word.at };
            let bad = at.bad("a named port carries its own protocol".to_owned());
            return Err(BadWord { help: Some(format!("write `:{}`", ports.text)), ..bad });
        }
        if let Some(why) = super::manifest::names::port_name(ports.text).into_iter().next() {
            return Err(ports.bad(format!("`{}` is no port name: {why}", ports.text)));
        }
        return Ok(PortPattern::Name { name: Name::from(ports.text) });
    }
    let number = |word: Word<'_>| {
        let digits = !word.text.is_empty() && word.text.bytes().all(|b| b.is_ascii_digit());
        word.text
            .parse::<u16>()
            .ok()
            .filter(|number| digits && *number > 0)
            .ok_or_else(|| word.expected("a port from 1 to 65535", &[]))
    };
    let (first, last) = match ports.text.find('-') {
        Some(dash) => (number(ports.to(dash))?, number(ports.from(dash + 1))?),
        None => {
            let first = number(ports)?;
            (first, first)
        }
    };
    if last < first {
        return Err(ports.bad(format!("the range `{}` ends before it starts", ports.text)));
    }
    let protocol = protocol_word.map_or(Ok(Protocol::Tcp), protocol)?;
    Ok(PortPattern::Numbers { first, last, protocol })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(source: EndpointPattern, destination: EndpointPattern) -> Rule {
        Rule { intent: Intent::Allow, source, destination, port: None, via: None, family: None }
    }

    fn numbers(first: u16, last: u16, protocol: Protocol) -> Option<PortPattern> {
        Some(PortPattern::Numbers { first, last, protocol })
    }

    #[test]
    fn every_form_is_read() {
        use EndpointPattern::{Any, AnyPod, External, Namespace, Node, Pod, PodsNamed};
        let db = || Pod(PodName::new("prod", "db"));
        let name = Name::from;
        let cases = [
            ("allow * -> *", rule(Any, Any)),
            ("allow */* -> */db", rule(AnyPod, PodsNamed(name("db")))),
            ("allow prod/* -> prod/db", rule(Namespace(name("prod")), db())),
            ("allow user -> node/*", rule(External(name("user")), Node(None))),
            ("allow node/n-1 -> prod/db", rule(Node(Some(name("n-1"))), db())),
            (
                "allow * -> prod/db:3306",
                Rule { port: numbers(3306, 3306, Protocol::Tcp), ..rule(Any, db()) },
            ),
            (
                "allow * -> prod/db:53/UDP",
                Rule { port: numbers(53, 53, Protocol::Udp), ..rule(Any, db()) },
            ),
            (
                "allow * -> prod/db:8000-8100",
                Rule { port: numbers(8000, 8100, Protocol::Tcp), ..rule(Any, db()) },
            ),
            (
                "allow * -> *:http",
                Rule { port: Some(PortPattern::Name { name: name("http") }), ..rule(Any, Any) },
            ),
            (
                "allow * -> *:*/UDP",
                Rule {
                    port: Some(PortPattern::Protocol { protocol: Protocol::Udp }),
                    ..rule(Any, Any)
                },
            ),
            (
                "allow  *  ->  *   via service over ipv6",
                Rule { via: Some(Via::Service), family: Some(Family::Ipv6), ..rule(Any, Any) },
            ),
            (
                "allow * -> * over ipv4 via pod",
                Rule { via: Some(Via::Pod), family: Some(Family::Ipv4), ..rule(Any, Any) },
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn errors_point_at_the_word() {
        for (text, at, width, message, help) in [
            ("alow * -> *", 0, 4, "expected `allow`", Some("did you mean `allow`?")),
            ("", 0, 1, "expected `allow`, `deny` or `any`, found the end", None),
            ("allow", 5, 1, "found the end", None),
            ("allow * => *", 8, 2, "expected `->`, found `=>`", Some("did you mean `->`?")),
            ("allow * *", 8, 1, "expected `->`, found `*`", None),
            ("allow a:80 -> *", 7, 3, "a source has no port", None),
            ("allow * -> a/b/c", 13, 3, "expected `*`", None),
            ("allow * -> db:tcp/", 18, 1, "a named port carries", None),
            ("allow * -> db:80/tcp", 17, 3, "expected `TCP`", Some("did you mean `TCP`?")),
            ("allow * -> db:0", 14, 1, "expected a port", None),
            ("allow * -> db:65536", 14, 5, "expected a port", None),
            ("allow * -> db:90-80", 14, 5, "ends before it starts", None),
            ("allow * -> db:", 14, 1, "expected a port from 1 to 65535, found the end", None),
            ("allow * -> db:*", 14, 1, "`:*` says nothing", None),
            ("allow * -> * via servce", 17, 6, "expected `pod`", Some("did you mean `service`?")),
            ("allow * -> * over ip4", 18, 3, "expected `ipv4`", Some("did you mean `ipv4`?")),
            ("allow * -> * ovr ipv4", 13, 3, "expected `via …`", Some("did you mean `over`?")),
            ("allow * -> * via pod via pod", 21, 3, "expected `via …`", None),
        ] {
            let bad = parse(text).unwrap_err();
            assert_eq!((bad.at, bad.width), (at, width), "{text}: {bad:?}");
            assert!(bad.message.contains(message), "{text}: {bad:?}");
            if help.is_some() {
                assert_eq!(bad.help.as_deref(), help, "{text}");
            }
        }
    }
}
