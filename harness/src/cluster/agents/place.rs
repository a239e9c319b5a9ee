//! Whether an agent is where it should be.

use std::net::IpAddr;

use ringfence_probe::wire::Whereabouts;

/// Why an agent is not at these addresses, in words that follow its name; `None` where it is at
/// all of them.
pub(super) fn astray(wanted: &[IpAddr], found: &Whereabouts) -> Option<String> {
    let missing: Vec<&IpAddr> =
        wanted.iter().filter(|address| !found.addresses.contains(address)).collect();
    if missing.is_empty() {
        return None;
    }
    let wanted = listed(missing);
    Some(match &found.unseen {
        Some(why) => format!("at {wanted}, which cannot be seen there: {why}"),
        None if found.addresses.is_empty() => format!("at {wanted}, found it at no address"),
        None => format!(
            "at {wanted}, found it at {}: its network was made anew, and what was dialled may be \
             nobody's",
            listed(&found.addresses)
        ),
    })
}

fn listed<'a>(addresses: impl IntoIterator<Item = &'a IpAddr>) -> String {
    addresses.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn at(addresses: &[&str]) -> Vec<IpAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn all_addresses_must_be_there_and_more_may_be() {
        let found = |addresses: &[&str]| Whereabouts { addresses: at(addresses), unseen: None };
        let both = at(&["10.0.0.2", "fd00::2"]);
        assert_eq!(astray(&both, &found(&["10.0.0.2", "10.9.9.9", "fd00::2"])), None);
        assert_eq!(astray(&[], &found(&[])), None);
        let unseen = Some("no netlink".to_owned());
        let said = [
            astray(&both, &found(&["10.0.0.2", "fd00::3"])),
            astray(&both, &found(&["10.0.0.3", "fd00::3"])),
            astray(&both, &found(&[])),
            astray(&both, &Whereabouts { addresses: Vec::new(), unseen }),
        ];
        expect![[r#"
            at fd00::2, found it at 10.0.0.2 and fd00::3: its network was made anew, and what was dialled may be nobody's
            at 10.0.0.2 and fd00::2, found it at 10.0.0.3 and fd00::3: its network was made anew, and what was dialled may be nobody's
            at 10.0.0.2 and fd00::2, found it at no address
            at 10.0.0.2 and fd00::2, which cannot be seen there: no netlink"#]].assert_eq(&said.map(Option::unwrap_or_default).join("\n"));
    }
}
