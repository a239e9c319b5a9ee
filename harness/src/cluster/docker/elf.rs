//! What an executable is, from its ELF header (elf(5)).

use super::architecture::Architecture;

const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
const X86_64: u16 = 62;
const AARCH64: u16 = 183;
/// The program header of an executable that a dynamic linker must start.
const PT_INTERP: u32 = 3;

/// Reads what a static executable runs on, or says what was found instead.
pub(super) fn static_executable(bytes: &[u8]) -> Result<Architecture, String> {
    let header = bytes.get(..64).filter(|header| header.starts_with(b"\x7fELF"));
    let Some(header) = header else {
        return Err("a file that is no ELF executable".to_owned());
    };
    if (header[4], header[5]) != (CLASS_64, LITTLE_ENDIAN) {
        return Err("an ELF file that is not of 64 bits, little-endian".to_owned());
    }
    let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let architecture = match half(18) {
        X86_64 => Architecture::Amd64,
        AARCH64 => Architecture::Arm64,
        other => return Err(format!("an executable for the machine {other} of elf.h")),
    };
    let (size, count) = (usize::from(half(54)), usize::from(half(56)));
    let table = header[32..40].try_into().map(u64::from_le_bytes).unwrap_or(u64::MAX);
    let table = usize::try_from(table).unwrap_or(usize::MAX);
    for number in 0..count {
        let at = table.saturating_add(number * size);
        let kind = bytes.get(at..at.saturating_add(4)).and_then(|kind| kind.try_into().ok());
        match kind.map(u32::from_le_bytes) {
            Some(PT_INTERP) => {
                return Err("an executable that needs a dynamic linker".to_owned());
            }
            Some(_) => {}
            None => return Err("an ELF file that was cut short".to_owned()),
        }
    }
    if count == 0 { Err("an ELF file that is no executable".to_owned()) } else { Ok(architecture) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with program headers of these kinds.
    fn executable(machine: u16, kinds: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
        bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&(kinds.len() as u16).to_le_bytes());
        for kind in kinds {
            bytes.extend_from_slice(&kind.to_le_bytes());
            bytes.extend_from_slice(&[0; 52]);
        }
        bytes
    }

    #[test]
    fn only_static_executables_are_taken() {
        assert_eq!(static_executable(&executable(X86_64, &[1, 2])), Ok(Architecture::Amd64));
        assert_eq!(static_executable(&executable(AARCH64, &[1])), Ok(Architecture::Arm64));
        let found = |bytes: &[u8]| static_executable(bytes).unwrap_err();
        assert_eq!(found(b"#!/bin/sh"), "a file that is no ELF executable");
        assert_eq!(
            found(&executable(X86_64, &[1, 3])),
            "an executable that needs a dynamic linker"
        );
        assert_eq!(found(&executable(243, &[1])), "an executable for the machine 243 of elf.h");
        assert_eq!(found(&executable(X86_64, &[])), "an ELF file that is no executable");
        let mut cut = executable(X86_64, &[1, 1]);
        cut.truncate(70);
        assert_eq!(found(&cut), "an ELF file that was cut short");
    }

    /// This test's own program is linked dynamically.
    #[test]
    fn a_real_executable_is_read() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(
            static_executable(&own).unwrap_err(),
            "an executable that needs a dynamic linker"
        );
    }
}
