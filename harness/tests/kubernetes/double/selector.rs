//! Label and field selectors, as the parameters of a list or a watch.

use serde_json::Value;

use super::failure::Failure;
use super::resource::Query;

/// What the objects of a list or a watch have in common.
#[derive(Debug, Clone, Default)]
pub(super) struct Selector(Vec<Requirement>);

#[derive(Debug, Clone)]
struct Requirement {
    /// As a JSON pointer.
    field: String,
    /// `None`: any value will do.
    values: Option<Vec<String>>,
    /// Whether it is to be there, or among the values.
    wanted: bool,
}

impl Selector {
    pub(super) fn of(query: &Query) -> Result<Self, Failure> {
        let labels = terms(query.get("labelSelector")).into_iter().map(label);
        let fields = terms(query.get("fieldSelector")).into_iter().map(field);
        labels.chain(fields).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|requirement| {
            let found = object.pointer(&requirement.field).and_then(Value::as_str);
            let meets = match &requirement.values {
                None => found.is_some(),
                Some(values) => values.iter().any(|value| value == found.unwrap_or_default()),
            };
            meets == requirement.wanted
        })
    }
}

/// Splits at commas outside of parentheses.
fn terms(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    text.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|term| !term.is_empty())
    .collect()
}

fn label(term: &str) -> Result<Requirement, Failure> {
    let list = |list: &str| {
        let list = list.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(list.split(',').map(|value| value.trim().to_owned()).collect())
    };
    let unreadable = || Failure::bad_request(format!("unable to parse requirement: `{term}`"));
    let (key, values, wanted) = if let Some((key, values)) = term.split_once(" notin ") {
        (key, Some(list(values).ok_or_else(unreadable)?), false)
    } else if let Some((key, values)) = term.split_once(" in ") {
        (key, Some(list(values).ok_or_else(unreadable)?), true)
    } else if let Some((key, value)) = term.split_once("!=") {
        (key, Some(vec![value.to_owned()]), false)
    } else if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (key, Some(vec![value.to_owned()]), true)
    } else if let Some(key) = term.strip_prefix('!') {
        (key, None, false)
    } else {
        (term, None, true)
    };
    let key = key.trim().replace('~', "~0").replace('/', "~1");
    Ok(Requirement { field: format!("/metadata/labels/{key}"), values, wanted })
}

fn field(term: &str) -> Result<Requirement, Failure> {
    let (key, value, wanted) = if let Some((key, value)) = term.split_once("!=") {
        (key, value, false)
    } else {
        let split = term.split_once("==").or_else(|| term.split_once('='));
        let unreadable = || Failure::bad_request(format!("invalid field selector: `{term}`"));
        let (key, value) = split.ok_or_else(unreadable)?;
        (key, value, true)
    };
    let field = format!("/{}", key.replace('.', "/"));
    Ok(Requirement { field, values: Some(vec![value.to_owned()]), wanted })
}
