//! Rules of a policy of the cluster.

use super::super::validate::{required, unsupported};
use super::Form;
use super::form::items;
use super::{peer, port};
use crate::model::{ClusterAction, ClusterPeer, ClusterPort, ClusterRule, Name};
use crate::scenario::field::{Field, Object, Reader};

/// "may be no more than 100 characters in length" (`ClusterNetworkPolicyIngressRule.name`).
const NAME: usize = 100;

/// The rules of a direction; what of them cannot be judged goes to `aside`.
pub(super) fn rules(
    reader: &mut Reader<'_>,
    spec: &Object<'_>,
    key: &str,
    form: Form,
    aside: &mut Vec<String>,
) -> Vec<ClusterRule> {
    let Some(field) = spec.get(key) else { return Vec::new() };
    let items = items(reader, &field, 0, form.most());
    items.into_iter().filter_map(|item| rule(reader, item, key == "egress", form, aside)).collect()
}

fn rule(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    egress: bool,
    form: Form,
    aside: &mut Vec<String>,
) -> Option<ClusterRule> {
    let origin = reader.origin(&field);
    let peers_key = if egress { "to" } else { "from" };
    let object = reader.structure(field, &["name", "action", peers_key, form.ports()])?;
    let name = name(reader, &object);
    let action = action(reader, &object, form);
    let mut peers = Vec::new();
    match object.get(peers_key) {
        // "This field must be defined and contain at least one item." (`from` and `to`)
        None => {
            required(reader, &object.field, peers_key, "").hint(&format!(
                "`{peers_key}: [{{namespaces: {{}}}}]` is every pod of the cluster"
            ));
        }
        Some(field) => {
            for item in items(reader, &field, 1, form.most()) {
                peers.extend(peer::peer(reader, item, egress, action, form, aside));
            }
        }
    }
    let mut ports = Vec::new();
    if let Some(field) = object.get(form.ports()) {
        for item in items(reader, &field, 1, form.most()) {
            ports.extend(port::port(reader, item, form));
        }
    }
    // "networks/nodes/domainNames peer cannot be set with namedPorts since there are no
    // namedPorts for networks/nodes/domainNames" (the experimental CRD's rule), and "You
    // can't use this in a rule that targets resources without named ports"
    // (`ClusterNetworkPolicyProtocol.destinationNamedPort`).
    let nameless = |peer: &ClusterPeer| {
        matches!(
            peer,
            ClusterPeer::Networks { .. }
                | ClusterPeer::Nodes { .. }
                | ClusterPeer::DomainNames { .. }
        )
    };
    let named = |port: &ClusterPort| matches!(port, ClusterPort::Name { .. });
    if peers.iter().any(nameless) && ports.iter().any(named) {
        let field = &object.field;
        let message = format!(
            "{field}: Invalid value: \"object\": networks/nodes/domainNames peer cannot be set \
             with namedPorts since there are no namedPorts for networks/nodes/domainNames"
        );
        reader
            .error("named-port-without-pod", field, message)
            .hint("write a rule of its own for the peers that are no pods, with numbers");
    }
    Some(ClusterRule { name, action: action?, peers, ports, origin })
}

fn name(reader: &mut Reader<'_>, object: &Object<'_>) -> Option<Name> {
    let field = object.get("name")?;
    let text = reader.string(&field)?;
    if text.chars().count() > NAME {
        let message = format!("{field}: Too long: may not be more than {NAME} bytes");
        reader.error("rule-name", &field, message);
    }
    (!text.is_empty()).then(|| Name::from(text))
}

fn action(reader: &mut Reader<'_>, object: &Object<'_>, form: Form) -> Option<ClusterAction> {
    let words = form.actions();
    let Some(field) = object.get("action") else {
        let list = words.iter().map(|word| format!("`action: {word}`")).collect::<Vec<_>>();
        required(reader, &object.field, "action", "").hint(&format!("add {}", list.join(" or ")));
        return None;
    };
    let text = reader.string(&field)?;
    let word = Some(text).filter(|text| words.contains(text));
    match word {
        Some("Accept" | "Allow") => Some(ClusterAction::Accept),
        Some("Deny") => Some(ClusterAction::Deny),
        Some(_) => Some(ClusterAction::Pass),
        None => {
            let diagnostic = unsupported(reader, "action", &field, text, words);
            // The word changed from one version to the next.
            match text {
                "Allow" => diagnostic.hint(&format!("`{}` calls it `Accept`", form.kind)),
                "Accept" => diagnostic.hint(&format!("`{}` calls it `Allow`", form.kind)),
                _ => {}
            }
            None
        }
    }
}
