//! Ports that something listens on, as a scenario declares them.

use super::field::{Field, Object, Reader};
use super::manifest::names;
use super::yaml::Value;
use crate::model::{Name, Port, Protocol};

/// `ports` of a pod, an external host or a node.
pub(super) fn ports(reader: &mut Reader<'_>, object: &Object<'_>) -> Vec<Port> {
    let mut ports: Vec<Port> = Vec::new();
    let items = object.get("ports").and_then(|field| reader.list(&field)).unwrap_or_default();
    for item in items {
        let Some(port) = port(reader, &item) else { continue };
        if ports.contains(&port) {
            let message = format!("`{}/{}` is declared twice", port.number, port.protocol);
            reader.error("duplicate-port", &item, message);
        } else {
            ports.push(port);
        }
    }
    ports
}

/// `80`, `"53/UDP"`, `"http:8080/TCP"` or `{ name: http, port: 8080, protocol: TCP }`.
fn port(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Port> {
    let bad = |reader: &mut Reader<'_>, why: String| {
        reader.error("bad-port", field, why).hint(
            "write `80`, `53/UDP`, `http:8080/TCP` or `{ name: http, port: 8080, protocol: TCP }`",
        );
    };
    match &field.node.value {
        Value::Int(_) | Value::Float(_) => {
            let number = reader.int32(field)?;
            match names::port_number(number) {
                Ok(number) => Some(Port { name: None, number, protocol: Protocol::Tcp }),
                Err(why) => {
                    bad(reader, format!("{field}: Invalid value: {number}: {why}"));
                    None
                }
            }
        }
        Value::String(text) => match port_text(text) {
            Ok(port) => Some(port),
            Err(why) => {
                bad(reader, why);
                None
            }
        },
        Value::Map(_) => {
            let object = reader.object(field.clone(), &["name", "port", "protocol"])?;
            let Some(number) = object.get("port") else {
                bad(reader, format!("{field}.port: Required value"));
                return None;
            };
            let mut text = reader.int32(&number)?.to_string();
            if let Some(field) = object.get("protocol") {
                text = format!("{text}/{}", reader.string(&field)?);
            }
            if let Some(field) = object.get("name") {
                text = format!("{}:{text}", reader.string(&field)?);
            }
            match port_text(&text) {
                Ok(port) => Some(port),
                Err(why) => {
                    bad(reader, why);
                    None
                }
            }
        }
        _ => {
            reader.wrong_type(field, "a port");
            None
        }
    }
}

fn port_text(text: &str) -> Result<Port, String> {
    let (name, rest) = match text.split_once(':') {
        Some((name, rest)) => (Some(name), rest),
        None => (None, text),
    };
    let (number, protocol) = rest.split_once('/').unwrap_or((rest, "TCP"));
    let number = number
        .parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("expected a port from 1 to 65535, found `{number}`"))?;
    let protocol = protocol.parse().map_err(|error| format!("{error}"))?;
    if let Some(why) = name.and_then(|name| names::port_name(name).into_iter().next()) {
        return Err(format!("`{}` is no port name: {why}", name.unwrap_or_default()));
    }
    Ok(Port { name: name.map(Name::from), number, protocol })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_have_three_texts() {
        let port = |name: Option<&str>, number, protocol| Port {
            name: name.map(Name::from),
            number,
            protocol,
        };
        for (text, expected) in [
            ("80", port(None, 80, Protocol::Tcp)),
            ("53/UDP", port(None, 53, Protocol::Udp)),
            ("http:8080", port(Some("http"), 8080, Protocol::Tcp)),
            ("m3ua:2905/SCTP", port(Some("m3ua"), 2905, Protocol::Sctp)),
        ] {
            assert_eq!(port_text(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "65536", "80/tcp", "80:http", ":80", "http:", "a--b:80", "80-90"] {
            assert!(port_text(text).is_err(), "{text}");
        }
    }
}
