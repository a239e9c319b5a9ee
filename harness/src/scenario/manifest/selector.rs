//! `meta/v1` labels and LabelSelector.

use super::names;
use super::validate::{invalid, quoted};
use crate::model::{LabelSelector, Labels, Operator, Requirement};
use crate::scenario::field::{Field, Reader};
use crate::scenario::nearby::did_you_mean;
use crate::scenario::yaml::Value;

const OPERATORS: [(&str, Operator); 4] = [
    ("In", Operator::In),
    ("NotIn", Operator::NotIn),
    ("Exists", Operator::Exists),
    ("DoesNotExist", Operator::DoesNotExist),
];

/// A map of label keys and values. The API server names the map, not the key.
pub(crate) fn labels(reader: &mut Reader<'_>, field: Field<'_>) -> Labels {
    let Some(object) = reader.map(field) else { return Labels::new() };
    let mut labels = Labels::new();
    for entry in object.entries {
        let path = object.field.path.clone();
        for why in names::label_key(&entry.key) {
            let message = format!("{path}: Invalid value: {}: {why}", quoted(&entry.key));
            reader.error_at("label-key", &path, entry.key_place, message);
        }
        let child = object.field.child(entry);
        let Some(value) = label_value(reader, &child, &path) else { continue };
        labels.insert(entry.key.clone(), value);
    }
    labels
}

fn label_value(reader: &mut Reader<'_>, field: &Field<'_>, path: &str) -> Option<String> {
    let value = reader.string(field)?;
    for why in names::label_value(value) {
        let message = format!("{path}: Invalid value: {}: {why}", quoted(value));
        reader.error("label-value", field, message);
    }
    Some(value.to_owned())
}

/// A label selector.
pub(super) fn selector(reader: &mut Reader<'_>, field: Field<'_>) -> LabelSelector {
    let mut selector = LabelSelector::everything();
    let Some(object) = reader.object(field, &["matchLabels", "matchExpressions"]) else {
        return selector;
    };
    if let Some(field) = object.get("matchLabels") {
        selector.match_labels = labels(reader, field);
    }
    if let Some(field) = object.get("matchExpressions") {
        for item in reader.list(&field).unwrap_or_default() {
            selector.match_expressions.extend(requirement(reader, item));
        }
    }
    selector
}

/// `ValidateLabelSelectorRequirement`.
fn requirement(reader: &mut Reader<'_>, field: Field<'_>) -> Option<Requirement> {
    let object = reader.structure(field, &["key", "operator", "values"])?;
    let field = &object.field;
    let operator = object.get("operator");
    let operator = match &operator {
        None => {
            let path = format!("{field}.operator");
            let message = format!("{path}: Invalid value: \"\": not a valid selector operator");
            reader
                .error_at("selector-operator", &path, field.node.place, message)
                .hint("add `operator: In`, `NotIn`, `Exists` or `DoesNotExist`");
            None
        }
        Some(field) => {
            let text = reader.string(field)?;
            let known = OPERATORS.iter().find(|(name, _)| *name == text);
            if known.is_none() {
                let near = did_you_mean(text, OPERATORS.iter().map(|(name, _)| *name));
                invalid(reader, "selector-operator", field, text, "not a valid selector operator")
                    .hint(
                        &near
                            .unwrap_or("expected `In`, `NotIn`, `Exists` or `DoesNotExist`".into()),
                    );
            }
            known.map(|(_, operator)| *operator)
        }
    };
    let values_field = object.get("values");
    let mut values = Vec::new();
    if let Some(field) = &values_field {
        for item in reader.list(field)? {
            values.extend(label_value(reader, &item, &item.path));
        }
    }
    let items = match values_field.as_ref().map(|field| &field.node.value) {
        Some(Value::List(items)) => items.len(),
        _ => 0,
    };
    match operator {
        Some(Operator::In | Operator::NotIn) if items == 0 => {
            let why = "must be specified when `operator` is 'In' or 'NotIn'";
            match &values_field {
                Some(field) => {
                    let message = format!("{field}: Required value: {why}");
                    reader.error("selector-values", field, message);
                }
                None => {
                    let path = format!("{field}.values");
                    let message = format!("{path}: Required value: {why}");
                    reader.error_at("selector-values", &path, field.node.place, message);
                }
            }
        }
        Some(Operator::Exists | Operator::DoesNotExist) if items > 0 => {
            if let Some(field) = &values_field {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                reader.error("selector-values", field, format!("{field}: Forbidden: {why}"));
            }
        }
        _ => {}
    }
    let Some(key_field) = object.get("key") else {
        let path = format!("{field}.key");
        for why in names::label_key("") {
            let message = format!("{path}: Invalid value: \"\": {why}");
            reader.error_at("label-key", &path, field.node.place, message);
        }
        return None;
    };
    let key = reader.string(&key_field)?;
    for why in names::label_key(key) {
        invalid(reader, "label-key", &key_field, key, &why);
    }
    Some(Requirement { key: key.to_owned(), operator: operator?, values })
}
