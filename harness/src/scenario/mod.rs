//! Scenario folders and manifests: from text to checked values, or diagnostics.

mod diagnostic;
mod spec;

pub use diagnostic::{Diagnostic, Excerpt, Severity};
pub use spec::{
    Binding, EndpointPattern, ExpectRule, ExpectedDiagnostic, PortPattern, Scenario, Step,
};
