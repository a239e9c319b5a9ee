//! Errors, in the words of the real API server.

use serde_json::{Value, json};

use super::resource::Resource;

/// An answer that is an error: a `Status` object.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(super) code: u16,
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// Seconds, in the header `Retry-After` and in `details`.
    pub(super) retry_after: Option<u32>,
    pub(super) details: Value,
}

impl Failure {
    fn new(code: u16, reason: &'static str, message: String) -> Self {
        Self { code, reason, message, retry_after: None, details: json!({}) }
    }

    fn about(mut self, resource: &Resource, name: &str) -> Self {
        self.details = json!({ "name": name, "kind": resource.plural });
        if !resource.group.is_empty() {
            self.details["group"] = resource.group.into();
        }
        self
    }

    /// 404, of an object.
    pub(super) fn not_found(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.full_name());
        Self::new(404, "NotFound", message).about(resource, name)
    }

    /// 404, of a path.
    pub(super) fn no_resource() -> Self {
        let message = "the server could not find the requested resource".to_owned();
        Self::new(404, "NotFound", message)
    }

    /// 409, of an object that is made twice.
    pub(super) fn already_exists(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.full_name());
        Self::new(409, "AlreadyExists", message).about(resource, name)
    }

    /// 409, of an object that somebody else has changed.
    pub(super) fn modified(resource: &Resource, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version \
                   and try again";
        Self::operation(resource, name, why)
    }

    /// 409, of a precondition.
    pub(super) fn precondition(
        resource: &Resource,
        name: &str,
        what: &str,
        wanted: &str,
        found: &str,
    ) -> Self {
        let why = format!(
            "Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}"
        );
        Self::operation(resource, name, &why)
    }

    fn operation(resource: &Resource, name: &str, why: &str) -> Self {
        let of = resource.full_name();
        let message = format!("Operation cannot be fulfilled on {of} \"{name}\": {why}");
        Self::new(409, "Conflict", message).about(resource, name)
    }

    /// 409, as a call may meet one that has raced with another.
    pub(crate) fn conflict() -> Self {
        let message = "Operation cannot be fulfilled: the object has been modified; please apply \
                       your changes to the latest version and try again";
        Self::new(409, "Conflict", message.to_owned())
    }

    /// 422, of an object that does not fit its schema.
    pub(super) fn invalid(resource: &Resource, name: &str, field: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is invalid: {field}: {why}", resource.kind);
        let cause = match why.split_once(' ') {
            Some(("Invalid", _)) => "FieldValueInvalid",
            Some(("Required", _)) => "FieldValueRequired",
            _ => "FieldValueForbidden",
        };
        let mut failure = Self::new(422, "Invalid", message).about(resource, name);
        failure.details["kind"] = resource.kind.into();
        failure.details["causes"] = json!([{ "reason": cause, "message": why, "field": field }]);
        failure
    }

    /// 422, of server-side apply by nobody.
    pub(super) fn no_manager() -> Self {
        let message = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is \
                       required for apply patch";
        Self::new(422, "Invalid", message.to_owned())
    }

    /// 400.
    pub(super) fn bad_request(message: String) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 405.
    pub(super) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource".to_owned();
        Self::new(405, "MethodNotAllowed", message)
    }

    /// 403: what admission, a quota or an authorizer says, `pods "x" is forbidden: …`.
    pub(crate) fn forbidden(message: &str) -> Self {
        Self::new(403, "Forbidden", message.to_owned())
    }

    /// 403, of a namespace that goes.
    pub(super) fn terminating(resource: &Resource, name: &str, namespace: &str) -> Self {
        let of = resource.full_name();
        let why = format!("namespace {namespace} is being terminated");
        let message = format!(
            "{of} \"{name}\" is forbidden: unable to create new content in namespace {namespace} \
             because it is being terminated"
        );
        let mut failure = Self::forbidden(&message).about(resource, name);
        failure.details["causes"] = json!([{
            "reason": "NamespaceTerminating", "message": why, "field": "metadata.namespace",
        }]);
        failure
    }

    /// 429, with how many seconds to wait.
    pub(crate) fn too_many_requests(seconds: u32) -> Self {
        let message = "the server has received too many requests and has asked us to try again \
                       later";
        let mut failure = Self::new(429, "TooManyRequests", message.to_owned());
        failure.retry_after = Some(seconds);
        failure.details = json!({ "retryAfterSeconds": seconds });
        failure
    }

    /// 500.
    pub(crate) fn internal() -> Self {
        let message = "Internal error occurred: etcdserver: request timed out".to_owned();
        Self::new(500, "InternalError", message)
    }

    /// 500, of an exec that cannot start.
    pub(super) fn internal_error(message: String) -> Self {
        Self::new(500, "InternalError", message)
    }

    /// 415.
    pub(super) fn unsupported_patch() -> Self {
        let message = "the body of the request was in an unknown format - accepted media types \
                       include: application/merge-patch+json, \
                       application/strategic-merge-patch+json, application/apply-patch+yaml";
        Self::new(415, "UnsupportedMediaType", message.to_owned())
    }

    /// 503.
    pub(crate) fn unavailable() -> Self {
        let message = "the server is currently unable to handle the request".to_owned();
        Self::new(503, "ServiceUnavailable", message)
    }

    /// 410, of a watch from a version that is forgotten.
    pub(super) fn expired(wanted: u64, oldest: u64) -> Self {
        let message = format!("too old resource version: {wanted} ({oldest})");
        Self::new(410, "Expired", message)
    }

    /// The `Status` object.
    pub(super) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if self.details.as_object().is_some_and(|details| !details.is_empty()) {
            status["details"] = self.details.clone();
        }
        status
    }
}
