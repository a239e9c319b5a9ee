//! What nodes run on.

use std::env;
use std::fmt;
use std::str::FromStr;

/// What a node runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// x86-64.
    Amd64,
    /// 64-bit ARM.
    Arm64,
}

impl Architecture {
    /// What this program itself runs on; `None` where there is no agent for it.
    pub fn here() -> Option<Self> {
        env::consts::ARCH.parse().ok()
    }

    /// Rust's name of the target. Another machine's programs are linked with musl, whose static
    /// parts Rust brings along, so that no linker of that machine is needed.
    pub(super) fn target(self) -> String {
        let processor = match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "aarch64",
        };
        let library = if Self::here() == Some(self) { "gnu" } else { "musl" };
        format!("{processor}-unknown-linux-{library}")
    }

    /// The flags with which Rust's compiler makes a static program for it.
    pub(super) fn flags(self) -> &'static str {
        if Self::here() == Some(self) {
            "-C target-feature=+crt-static"
        } else {
            "-C target-feature=+crt-static -C linker=rust-lld"
        }
    }
}

impl fmt::Display for Architecture {
    /// As container images say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        })
    }
}

/// A name that is none of an architecture for which there are agents.
#[derive(Debug, thiserror::Error)]
#[error("expected `amd64` or `arm64`, found `{0}`")]
pub struct UnknownArchitecture(String);

impl FromStr for Architecture {
    type Err = UnknownArchitecture;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "amd64" | "x86_64" => Ok(Self::Amd64),
            "arm64" | "aarch64" => Ok(Self::Arm64),
            _ => Err(UnknownArchitecture(text.to_owned())),
        }
    }
}
