//! The API's rules for names, labels and ports, with its own words.
//!
//! Each function returns what `k8s.io/apimachinery` (`pkg/util/validation`,
//! `pkg/api/validate/content`) would say; an empty list where nothing is wrong.

const DNS_LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

fn max_length(length: usize) -> String {
    format!("must be no more than {length} characters")
}

/// The same of what was moved to `pkg/api/validate/content`.
fn max_bytes(length: usize) -> String {
    format!("must be no more than {length} bytes")
}

fn is_dns_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|b| inner(*b))
        && bytes.last().is_some_and(|b| inner(*b))
        && bytes.iter().all(|b| inner(*b) || *b == b'-')
}

fn is_dns_subdomain(text: &str) -> bool {
    text.split('.').all(is_dns_label)
}

/// A label of RFC 1123: the name of a namespace.
pub(crate) fn dns_label(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > 63 {
        errors.push(max_length(63));
    }
    if !is_dns_label(text) {
        errors.push(if is_dns_subdomain(text) {
            "must not contain dots".to_owned()
        } else {
            format!(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{DNS_LABEL}')"
            )
        });
    }
    errors
}

/// A subdomain of RFC 1123: the name of a policy or pod.
pub(crate) fn dns_subdomain(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > 253 {
        errors.push(max_length(253));
    }
    if !is_dns_subdomain(text) {
        errors.push(format!(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{DNS_LABEL}(\\.{DNS_LABEL})*')"
        ));
    }
    errors
}

fn is_label_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

/// A label's key: an optional DNS subdomain and `/`, then a name.
pub(crate) fn label_key(key: &str) -> Vec<String> {
    let form = format!(
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{LABEL_KEY}')"
    );
    let mut errors = Vec::new();
    let parts: Vec<&str> = key.split('/').collect();
    let name = match parts[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".to_owned());
            } else {
                let bytes = |e: &String| e.replace(&max_length(253), &max_bytes(253));
                let why = dns_subdomain(prefix);
                errors.extend(why.iter().map(|e| format!("prefix part {}", bytes(e))));
            }
            name
        }
        _ => {
            return vec![format!(
                "a valid label key {form} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        errors.push(format!("name part {}", max_bytes(63)));
    }
    if !is_label_name(name) {
        errors.push(format!("name part {form}"));
    }
    errors
}

/// A label's value.
pub(crate) fn label_value(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > 63 {
        errors.push(max_bytes(63));
    }
    if !value.is_empty() && !is_label_name(value) {
        errors.push(format!(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '({LABEL_KEY})?')"
        ));
    }
    errors
}

/// The name of a port (IANA service name, RFC 6335 section 5.1, lower case only).
pub(crate) fn port_name(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.len() > 15 {
        errors.push(max_length(15));
    }
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || !name.bytes().all(known) {
        errors
            .push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".into());
    }
    if !name.bytes().any(|b| b.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".into());
    }
    if name.contains("--") {
        errors.push("must not contain consecutive hyphens".into());
    }
    if name.starts_with('-') || name.ends_with('-') {
        errors.push("must not begin or end with a hyphen".into());
    }
    errors
}

/// A port's number, or what is wrong with it.
pub(crate) fn port_number(number: i32) -> Result<u16, &'static str> {
    u16::try_from(number)
        .ok()
        .filter(|number| *number > 0)
        .ok_or("must be between 1 and 65535, inclusive")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_the_api_server_does() {
        type Check = fn(&str) -> Vec<String>;
        let long = "a".repeat(64);
        let cases: &[(Check, &str, usize)] = &[
            (dns_label, "prod", 0),
            (dns_label, "a.b", 1),
            (dns_label, "Prod", 1),
            (dns_label, "-a", 1),
            (dns_label, "", 1),
            (dns_label, &long, 1),
            (dns_subdomain, "a.b-c", 0),
            (dns_subdomain, "a..b", 1),
            (dns_subdomain, "a_b", 1),
            (label_key, "app", 0),
            (label_key, "kubernetes.io/metadata.name", 0),
            (label_key, "a/b/c", 1),
            (label_key, "/x", 1),
            (label_key, "Example.com/x", 1),
            (label_key, "", 2),
            (label_key, "a b", 1),
            (label_value, "", 0),
            (label_value, "a_b.c-D", 0),
            (label_value, "a/b", 1),
            (label_value, "-a", 1),
            (label_value, &long, 1),
            (port_name, "http", 0),
            (port_name, "80", 1),
            (port_name, "Http", 1),
            (port_name, "a--b", 1),
            (port_name, "-a", 1),
            (port_name, "averyveryverylong", 1),
            (port_name, "", 2),
        ];
        for (check, text, count) in cases {
            assert_eq!(check(text).len(), *count, "{text}: {:?}", check(text));
        }
    }

    #[test]
    fn port_numbers_have_16_bits_and_no_zero() {
        assert_eq!(port_number(1), Ok(1));
        assert_eq!(port_number(65535), Ok(65535));
        for number in [0, -1, 65536, i32::MAX] {
            assert!(port_number(number).is_err());
        }
    }
}
