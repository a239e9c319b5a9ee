//! Ports of a policy's rule.

use super::names;
use super::validate::{invalid, invalid_number, unsupported};
use crate::model::{Name, PolicyPort, PortRef, Protocol};
use crate::scenario::field::{Field, Object, Reader};
use crate::scenario::yaml::Value;

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

fn protocol(reader: &mut Reader<'_>, object: &Object<'_>) -> Option<Protocol> {
    let field = object.get("protocol")?;
    let text = reader.string(&field)?;
    match text.parse() {
        Ok(protocol) => Some(protocol),
        Err(_) => {
            unsupported(reader, "protocol", &field, text, &PROTOCOLS);
            None
        }
    }
}

/// One entry of a rule's `ports` (`ValidateNetworkPolicyPort`).
pub(super) fn policy_port(reader: &mut Reader<'_>, field: Field<'_>) -> Option<PolicyPort> {
    let origin = reader.origin(&field);
    let mut entry = PolicyPort { protocol: None, port: None, end_port: None, origin };
    // A null entry decodes to the empty one: every TCP port.
    if field.node.value == Value::Null {
        return Some(entry);
    }
    let object = reader.object(field, &["protocol", "port", "endPort"])?;
    entry.protocol = protocol(reader, &object);
    let end = object.get("endPort").and_then(|field| Some((reader.int32(&field)?, field)));
    let Some(field) = object.get("port") else {
        if let Some((number, field)) = end {
            let why = "may not be specified when `port` is not specified";
            invalid_number(reader, "end-port", &field, number, why);
        }
        return Some(entry);
    };
    if let Value::String(name) = &field.node.value {
        if let Some((number, field)) = end {
            let why = "may not be specified when `port` is non-numeric";
            invalid_number(reader, "end-port", &field, number, why);
        }
        port_name(reader, &field, name);
        entry.port = Some(PortRef::Name(Name::from(name.as_str())));
        return Some(entry);
    }
    if !matches!(field.node.value, Value::Int(_) | Value::Float(_)) {
        reader.wrong_type(&field, "a number or a name");
        return None;
    }
    let first = reader.int32(&field)?;
    match names::port_number(first) {
        Ok(number) => entry.port = Some(PortRef::Number(number)),
        Err(why) => {
            invalid_number(reader, "port-number", &field, first, why);
        }
    }
    if let Some((last, field)) = end {
        if last < first {
            // The API server puts `port`, not `endPort`, into this sentence.
            let why = "must be greater than or equal to `port`";
            invalid_number(reader, "end-port", &field, first, why)
                .hint(&format!("`port` is {first} and `endPort` is {last}"));
        }
        match names::port_number(last) {
            Ok(number) => entry.end_port = Some(number),
            Err(why) => {
                invalid_number(reader, "end-port", &field, last, why);
            }
        }
    }
    Some(entry)
}

/// Whether a port's name is good.
pub(super) fn port_name(reader: &mut Reader<'_>, field: &Field<'_>, name: &str) -> bool {
    let errors = names::port_name(name);
    for why in &errors {
        let diagnostic = invalid(reader, "port-name", field, name, why);
        if name.parse::<u16>().is_ok() {
            diagnostic.hint("a number is written without quotes");
        }
    }
    errors.is_empty()
}
