//! Which port of a Service leads to which port of its pod.

/// The port by which a Service leads to this port of its pod.
///
/// It is never the same one. A policy is about the pod's port: "the port on the given
/// protocol" of a rule is compared after the Service's address and port were rewritten
/// (`core/v1` `ServicePort.targetPort`), and a dataplane that compares before is found out
/// only where the two differ. It is 10,000 higher, and begins anew behind 65,535, so that
/// no two ports of a pod have the same one: 80 is reached by 10080.
pub const fn service_port(target: u16) -> u16 {
    const FURTHER: u32 = 10_000;
    const PORTS: u32 = u16::MAX as u32;
    match target {
        0 => 0, // No port: the API server takes none either.
        target => ((target as u32 - 1 + FURTHER) % PORTS + 1) as u16,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_port_has_one_of_its_own_that_is_another() {
        let all: BTreeSet<u16> = (1..=u16::MAX).map(service_port).collect();
        assert_eq!((all.len(), all.first()), (65_535, Some(&1)));
        assert!((1..=u16::MAX).all(|port| service_port(port) != port));
        assert_eq!([80, 55_535, 55_536].map(service_port), [10_080, 65_535, 1]);
    }
}
