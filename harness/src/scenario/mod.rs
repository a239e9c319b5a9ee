//! Scenario folders and manifests: from text to checked values, or diagnostics.

mod diagnostic;
mod expect;
mod field;
mod manifest;
mod nearby;
mod source;
mod spec;
mod version;
mod yaml;

pub use diagnostic::{Diagnostic, Excerpt, Severity};
pub use spec::{
    Binding, EndpointPattern, ExpectRule, ExpectedDiagnostic, PortPattern, Scenario, Step,
};
pub use version::{KubernetesVersion, ParseVersionError};
