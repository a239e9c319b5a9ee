//! Every exit code of the `ringfence` command, in one place.

/// How the process ends.
///
/// A fault outranks everything else that a run found; whatever is not certain
/// outranks success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Something was judged, and everything that was judged is as it should be.
    Passed = 0,
    /// A policy fault or an enforcement fault.
    Fault = 1,
    /// The command line or an input file is not valid; nothing was run.
    Usage = 2,
    /// It could not be told, or nothing was judged.
    CouldNotTell = 3,
}

impl ExitCode {
    /// The number that the process ends with.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode;

    #[test]
    fn the_numbers_are_part_of_the_interface() {
        let codes = [ExitCode::Passed, ExitCode::Fault, ExitCode::Usage, ExitCode::CouldNotTell];
        assert_eq!(codes.map(ExitCode::code), [0, 1, 2, 3]);
    }
}
