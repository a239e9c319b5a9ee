//! What the golden objects are made of.

use expect_test::ExpectFile;
use serde::Serialize;

use super::pod::Agent;
use crate::cluster::kubernetes::naming::Naming;
use crate::cluster::kubernetes::owner::Owner;
use crate::model::{Name, Origin, Pod, PodName, Port, Protocol};

pub(super) fn owner() -> Owner {
    Owner { run: "k3x9q".parse().unwrap(), slot: 4 }
}

pub(super) fn naming() -> Naming {
    Naming::Prefixed(owner())
}

pub(super) fn agent() -> Agent {
    Agent { image: "ringfence-agent:0123456789ab".to_owned(), ..Agent::default() }
}

/// A pod of `prod` with these ports, each `NAME:NUMBER/PROTOCOL` or `NUMBER/PROTOCOL`.
pub(super) fn pod(name: &str, ports: &[&str]) -> Pod {
    let port = |text: &&str| {
        let (name, rest) = text.split_once(':').map_or((None, *text), |(n, r)| (Some(n), r));
        let (number, protocol) = rest.split_once('/').unwrap();
        let protocol: Protocol = protocol.parse().unwrap();
        Port { name: name.map(Name::from), number: number.parse().unwrap(), protocol }
    };
    let pod = Pod::new(PodName::new("prod", name), Origin::synthetic("fixture"));
    let labels = [("app".to_owned(), name.to_owned())].into();
    Pod { labels, ports: ports.iter().map(port).collect(), ..pod }
}

/// Compares objects with a file that `kubectl apply` takes.
pub(super) fn compare<T: Serialize>(objects: &[T], golden: ExpectFile) {
    let texts = objects.iter().map(|object| serde_saphyr::to_string(object).unwrap());
    golden.assert_eq(&texts.collect::<Vec<_>>().join("---\n"));
}
