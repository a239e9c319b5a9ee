//! Ports and protocols of rules of policies of the cluster.

use super::super::names;
use super::super::port::port_name;
use super::super::validate::{invalid_number, required, unsupported};
use super::Form;
use super::form::one_of;
use crate::model::{ClusterPort, Name, Origin, Protocol};
use crate::scenario::field::{Field, Object, Reader};

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// One entry of `ports` (`v1alpha1`) or `protocols`.
pub(super) fn port(reader: &mut Reader<'_>, field: Field<'_>, form: Form) -> Option<ClusterPort> {
    if form.is_first() { first_version(reader, field) } else { since(reader, field) }
}

/// `AdminNetworkPolicyPort`: "Exactly one field must be set."
fn first_version(reader: &mut Reader<'_>, field: Field<'_>) -> Option<ClusterPort> {
    let known = ["portNumber", "namedPort", "portRange"];
    let origin = reader.origin(&field);
    let object = reader.structure(field, &known)?;
    let (key, field) = one_of(reader, &object, &known)?;
    if key == "namedPort" {
        return named(reader, &field, origin);
    }
    let fields: &[&str] =
        if key == "portRange" { &["protocol", "start", "end"] } else { &["protocol", "port"] };
    let object = reader.object(field, fields)?;
    // "If not specified, this field defaults to TCP." (`Port.protocol`). The CRD takes any
    // text, which the types' text does not: "(TCP, UDP, or SCTP)".
    let protocol = match object.get("protocol") {
        None => Some(Protocol::Tcp),
        Some(field) => {
            let text = reader.string(&field)?;
            let protocol = text.parse().ok();
            if protocol.is_none() {
                unsupported(reader, "protocol", &field, text, &PROTOCOLS);
            }
            protocol
        }
    };
    if key == "portRange" {
        return range(reader, &object, protocol, origin);
    }
    let port = number(reader, &object, "port");
    Some(ClusterPort::Number { protocol: protocol?, port: port?, origin })
}

/// `ClusterNetworkPolicyProtocol`: "Exactly one field must be set."
fn since(reader: &mut Reader<'_>, field: Field<'_>) -> Option<ClusterPort> {
    let known = ["tcp", "udp", "sctp", "destinationNamedPort"];
    let origin = reader.origin(&field);
    let object = reader.structure(field, &known)?;
    let (key, field) = one_of(reader, &object, &known)?;
    let protocol = match key {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => return named(reader, &field, origin),
    };
    let object = reader.object(field, &["destinationPort"])?;
    let Some(field) = object.get("destinationPort") else {
        // The overview allows it, and the CRD does not (`MinProperties=1`): "For now, it can
        // be expressed as a port range that covers all ports (1-65535)." (NPEP-187)
        if object.entries.is_empty() {
            let field = &object.field;
            let message = format!(
                "{field}: Invalid value: 0: {field} in body should have at least 1 properties"
            );
            reader.error("no-field-set", field, message).hint(
                "every port of a protocol is `destinationPort: {range: {start: 1, end: 65535}}`",
            );
        }
        return None;
    };
    let known = ["number", "range"];
    let object = reader.object(field, &known)?;
    let (key, field) = one_of(reader, &object, &known)?;
    if key == "number" {
        let port = numbered(reader, &field)?;
        return Some(ClusterPort::Number { protocol, port, origin });
    }
    let object = reader.object(field, &["start", "end"])?;
    range(reader, &object, Some(protocol), origin)
}

fn named(reader: &mut Reader<'_>, field: &Field<'_>, origin: Origin) -> Option<ClusterPort> {
    let name = reader.string(field)?;
    // No container port has another name, so it could match nothing.
    port_name(reader, field, name);
    Some(ClusterPort::Name { name: Name::from(name), origin })
}

/// "the Start value must be less than End" (`PortRange`), where NetworkPolicy allows both to
/// be equal; the CRD holds it since `v1alpha2`.
fn range(
    reader: &mut Reader<'_>,
    object: &Object<'_>,
    protocol: Option<Protocol>,
    origin: Origin,
) -> Option<ClusterPort> {
    let (first, last) = (number(reader, object, "start"), number(reader, object, "end"));
    let (first, last) = (first?, last?);
    if first >= last {
        let field = &object.field;
        let message =
            format!("{field}: Invalid value: \"object\": Start port must be less than End port");
        let diagnostic = reader.error("port-range", field, message);
        if first == last {
            diagnostic.hint("a single port is written as a number");
        } else {
            diagnostic.hint(&format!("`start` is {first} and `end` is {last}"));
        }
    }
    Some(ClusterPort::Range { protocol: protocol?, first, last, origin })
}

fn number(reader: &mut Reader<'_>, object: &Object<'_>, key: &str) -> Option<u16> {
    match object.get(key) {
        Some(field) => numbered(reader, &field),
        None => {
            required(reader, &object.field, key, "");
            None
        }
    }
}

fn numbered(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<u16> {
    let number = reader.int32(field)?;
    let bound = if number > i32::from(u16::MAX) {
        "less than or equal to 65535"
    } else {
        "greater than or equal to 1"
    };
    match names::port_number(number) {
        Ok(number) => Some(number),
        Err(_) => {
            let why = format!("{field} in body should be {bound}");
            invalid_number(reader, "port-number", field, number, &why);
            None
        }
    }
}
