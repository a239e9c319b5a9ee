//! `rejects`: manifests that the loader must refuse, with exactly these findings.

use std::collections::BTreeMap;

use super::field::{Field, Reader};
use super::folder::{Manifests, unreadable};
use super::{Diagnostic, ExpectedDiagnostic, KubernetesVersion, Severity};
use crate::model::Origin;

/// An item of the list.
struct Listed {
    file: String,
    line: u32,
    column: u32,
    message: String,
    origin: Origin,
}

/// Reads the list and holds it against what is really found.
pub(super) fn rejects(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    manifests: &mut Manifests<'_>,
    version: KubernetesVersion,
) -> Vec<ExpectedDiagnostic> {
    let mut files: BTreeMap<String, Vec<(Listed, Field<'_>)>> = BTreeMap::new();
    for item in reader.list(field).unwrap_or_default() {
        if let Some((expected, since)) = entry(reader, item.clone()) {
            // Refused only by later versions: accepted by this one, perhaps with a warning.
            if since.is_some_and(|since| version < since) {
                continue;
            }
            files.entry(expected.file.clone()).or_default().push((expected, item));
        }
    }
    let mut all = Vec::new();
    for (file, expected) in files {
        all.extend(compare(reader, &file, expected, manifests));
    }
    all
}

fn entry(reader: &mut Reader<'_>, field: Field<'_>) -> Option<(Listed, Option<KubernetesVersion>)> {
    let origin = reader.origin(&field);
    let object = reader.object(field, &["file", "line", "column", "message", "since"])?;
    let mut get = |key: &str| {
        let found = object.get(key);
        if found.is_none() {
            let message = format!("{}.{key}: Required value", object.field);
            let place = object.field.node.place;
            reader.error_at("missing-field", &object.field.path, place, message);
        }
        found
    };
    let (file, line, column, message) = (get("file"), get("line"), get("column"), get("message"));
    let since = match object.get("since") {
        None => None,
        Some(field) => {
            let text = reader.string(&field)?;
            match text.parse() {
                Ok(version) => Some(version),
                Err(error) => {
                    let error: super::ParseVersionError = error;
                    reader.error("bad-version", &field, error.to_string());
                    return None;
                }
            }
        }
    };
    let mut number = |field: Field<'_>| {
        let number = reader.int32(&field)?;
        let positive = u32::try_from(number).ok().filter(|number| *number > 0);
        if positive.is_none() {
            reader.error(
                "wrong-type",
                &field,
                format!("expected a number from 1, found `{number}`"),
            );
        }
        positive
    };
    let (line, column) = (number(line?)?, number(column?)?);
    let expected = Listed {
        file: reader.string(&file?)?.to_owned(),
        line,
        column,
        message: reader.string(&message?)?.to_owned(),
        origin,
    };
    Some((expected, since))
}

fn matches(expected: &Listed, found: &Diagnostic) -> bool {
    found.origin.line == expected.line
        && found.origin.column == expected.column
        && found.message.contains(&expected.message)
}

/// Those of a file's expectations that are met.
fn compare(
    reader: &mut Reader<'_>,
    file: &str,
    expected: Vec<(Listed, Field<'_>)>,
    manifests: &mut Manifests<'_>,
) -> Vec<ExpectedDiagnostic> {
    let Some(first) = expected.first().map(|(_, field)| field.clone()) else { return Vec::new() };
    let found = match manifests.judged(file) {
        Ok(manifest) => manifest.diagnostics,
        Err(error) => {
            unreadable(reader, &first, file, &error, manifests);
            return Vec::new();
        }
    };
    let mut left: Vec<Diagnostic> =
        found.into_iter().filter(|d| d.severity == Severity::Error).collect();
    let (mut met, mut missing) = (Vec::new(), Vec::new());
    for (expected, field) in expected {
        match left.iter().position(|found| matches(&expected, found)) {
            Some(index) => {
                let found = left.remove(index);
                let Listed { file, line, column, message, origin } = expected;
                met.push(ExpectedDiagnostic { file, line, column, message, found, origin });
            }
            None => missing.push((expected, field)),
        }
    }
    for (expected, field) in &missing {
        let Listed { line, column, message, .. } = expected;
        let text = format!("`{file}` is not rejected at {line}:{column} with {message:?}");
        let near: Vec<String> = left.iter().map(describe).collect();
        reader.error("not-rejected", field, text).hint(&if near.is_empty() {
            "there is no other error in it".to_owned()
        } else {
            format!("found instead {}", near.join("; "))
        });
    }
    // Where one is missing, what was found instead was just said.
    if !missing.is_empty() {
        return met;
    }
    for more in left {
        let text = format!("`{file}` is rejected for more than is listed: {}", describe(&more));
        reader.error("rejected-for-more", &first, text).hint("list every error of the file");
    }
    met
}

fn describe(found: &Diagnostic) -> String {
    format!("{}:{} {:?}", found.origin.line, found.origin.column, found.message)
}
