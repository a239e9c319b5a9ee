//! Scenario folders and manifests: from text to checked values, or diagnostics.
//!
//! A text becomes a tree in which every value knows its place (`yaml`), the
//! tree is read with types (`field`), manifests are judged as the API server
//! would (`manifest`), and a scenario's rules are resolved against its topology
//! step by step (`expectation`). Whatever is wrong is said at once, before
//! anything is created.

mod applied;
mod binding;
mod building;
mod bundle;
mod cells;
mod diagnostic;
mod digest;
mod expect;
mod expectation;
mod external;
pub(crate) mod field;
mod file;
mod folder;
mod library;
mod listener;
mod manifest;
pub(crate) mod nearby;
mod options;
mod pattern;
mod rejection;
mod render;
mod rules;
pub(crate) mod source;
mod spec;
mod step;
pub(crate) mod tag;
mod topology;
mod version;
pub(crate) mod yaml;

pub use bundle::{Bundle, load_manifests, parse_manifests};
pub use cells::{CellPattern, ParsePatternError};
pub use diagnostic::{Diagnostic, Excerpt, Severity};
pub use digest::{digest_of_list, digest_of_text};
pub use expectation::{Expectation, Expected, Limits, resolve};
pub(crate) use folder::SCENARIO_FILE;
pub use library::{Loaded, load_scenarios, parse_folder, parse_scenario};
pub(crate) use manifest::syntax;
pub use options::LoadOptions;
pub use render::render;
pub use spec::{
    Binding, EndpointPattern, ExpectRule, ExpectedDiagnostic, PortPattern, Scenario, Step, Watching,
};
pub use version::{KubernetesVersion, ParseVersionError};
