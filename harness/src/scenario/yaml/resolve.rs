//! What a plain scalar means: YAML 1.1 as `sigs.k8s.io/yaml` (go-yaml v2) reads it,
//! since that is what kubectl and the API server do.

use super::node::Value;

/// The value of a plain scalar.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    number(text).unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The value of a scalar with a tag of YAML's own, quoted or not.
pub(super) fn tagged(tag: &str, text: &str) -> Result<Value, String> {
    let (name, value) = match plain(text) {
        #[expect(clippy::cast_precision_loss, reason = "it is what `!!float` asks for")]
        Value::Int(value) if tag == "float" => ("float", Value::Float(value as f64)),
        value @ Value::Int(_) => ("int", value),
        value @ Value::Float(_) => ("float", value),
        value @ Value::Bool(_) => ("bool", value),
        value @ Value::Null => ("null", value),
        value => ("str", value),
    };
    if name == tag {
        return Ok(value);
    }
    Err(format!("cannot decode !!{name} `{text}` as a !!{tag}"))
}

/// The number that a plain scalar is. Dates stay strings: so does go-yaml's
/// decoding into an untyped value.
fn number(text: &str) -> Option<Value> {
    let first = text.bytes().next()?;
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) {
        return None;
    }
    let text = if first == b'.' { text.to_owned() } else { text.replace('_', "") };
    if let Some(value) = integer(&text) {
        return Some(value);
    }
    // What no float can hold stays text, as with Go's `strconv.ParseFloat`.
    let value: f64 = is_float(&text).then(|| text.parse().ok()).flatten()?;
    value.is_finite().then_some(Value::Float(value))
}

/// Go's `strconv.ParseInt(text, 0, 64)`: the prefix says the base, and a leading 0 is octal.
fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    let value = i128::from_str_radix(digits, base).ok()?;
    let value = if negative { -value } else { value };
    match i64::try_from(value) {
        Ok(value) => Some(Value::Int(value)),
        #[expect(clippy::cast_precision_loss, reason = "only its size matters from here on")]
        Err(_) => u64::try_from(value).ok().map(|value| Value::Float(value as f64)),
    }
}

/// go-yaml's `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`.
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_ok = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    mantissa_ok && exponent_ok
}

/// The text of a key: JSON has only strings, so `sigs.k8s.io/yaml` turns
/// numbers and booleans into theirs. `None` for a null key, which it refuses.
pub(super) fn key(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Float(value) => Some(float_key(*value)),
        Value::String(value) => Some(value.clone()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// `strconv.FormatFloat(value, 'g', -1, 32)`, as `sigs.k8s.io/yaml` writes a
/// float that is a key: with 32 bits, and with an exponent from 10^6 on.
fn float_key(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is what the library does")]
    let value = value as f32;
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    match scientific.split_once('e').map(|(mantissa, e)| (mantissa, e.parse::<i32>())) {
        Some((mantissa, Ok(exponent))) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.abs())
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_held_against_what_the_text_is() {
        assert_eq!(tagged("int", "80"), Ok(Value::Int(80)));
        assert_eq!(tagged("float", "80"), Ok(Value::Float(80.0)));
        assert_eq!(tagged("bool", "yes"), Ok(Value::Bool(true)));
        assert_eq!(tagged("null", ""), Ok(Value::Null));
        let error = tagged("bool", "x").unwrap_err();
        assert_eq!(error, "cannot decode !!str `x` as a !!bool");
        assert!(tagged("int", "1.5").is_err());
    }

    #[test]
    fn floats_as_keys_are_written_as_go_writes_them() {
        for (value, text) in [
            (1.5, "1.5"),
            (1000.0, "1000"),
            (1e6, "1e+06"),
            (1e30, "1e+30"),
            (0.1, "0.1"),
            (0.00001, "1e-05"),
            (123_456_789.123, "1.2345679e+08"),
            (1e300, ".inf"),
            (f64::NEG_INFINITY, "-.inf"),
            (f64::NAN, ".nan"),
        ] {
            assert_eq!(key(&Value::Float(value)).as_deref(), Some(text));
        }
    }

    #[test]
    fn plain_scalars_are_yaml_1_1() {
        let string = |text: &str| Value::String(text.to_owned());
        for (text, value) in [
            ("yes", Value::Bool(true)),
            ("off", Value::Bool(false)),
            ("y", Value::Bool(true)),
            ("yEs", string("yEs")),
            ("~", Value::Null),
            ("", Value::Null),
            ("80", Value::Int(80)),
            ("+80", Value::Int(80)),
            ("-1", Value::Int(-1)),
            ("017", Value::Int(15)),
            ("0o17", Value::Int(15)),
            ("0x1F", Value::Int(31)),
            ("0b101", Value::Int(5)),
            ("08", Value::Float(8.0)),
            ("1_000", Value::Int(1000)),
            ("80.0", Value::Float(80.0)),
            ("1e3", Value::Float(1000.0)),
            (".5", Value::Float(0.5)),
            ("1.", Value::Float(1.0)),
            ("10.0.0.1", string("10.0.0.1")),
            ("10.0.0.0/8", string("10.0.0.0/8")),
            ("2001-01-01", string("2001-01-01")),
            ("-", string("-")),
            (".", string(".")),
            ("e3", string("e3")),
            ("1e", string("1e")),
            ("1e400", string("1e400")),
            ("18446744073709551615", Value::Float(18_446_744_073_709_551_615.0)),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }
}
