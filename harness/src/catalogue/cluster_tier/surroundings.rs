//! What has to be around the tested rule, so that it alone decides: without it, something
//! behind it decides otherwise; or something before it hides it, and that alone.

use super::axis::{Action, Beside, Tier};

/// What is around the tested rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::catalogue) struct Surroundings {
    /// What the last rule of the tested policy does, about everybody.
    pub(in crate::catalogue) behind: Option<Action>,
    /// What the policy of the tier, or of the other tier, does.
    pub(in crate::catalogue) other: Option<Action>,
    /// Whether the tested rule is hidden: what is before it decides.
    pub(in crate::catalogue) hidden: bool,
}

/// What is around a rule; or why it could not decide alone.
pub(in crate::catalogue) fn surroundings(
    tier: Tier,
    action: Action,
    beside: Beside,
) -> Result<Surroundings, &'static str> {
    use Action::{Accept, Deny, Pass};
    const SAME: &str = "both come to the same, and neither decides alone";
    let open = |behind| Ok(Surroundings { behind, other: None, hidden: false });
    let with = |behind, other| Ok(Surroundings { behind, other: Some(other), hidden: false });
    let hidden = |other| Ok(Surroundings { behind: None, other, hidden: true });
    // What must be behind the rule for the rule to be seen, where what decides in the end
    // lets the connection through.
    let denying = if action == Deny { None } else { Some(Deny) };
    let contrary = if action == Deny { Accept } else { Deny };
    match (beside, tier, action) {
        (Beside::Alone | Beside::OtherDirection, ..) => open(denying),
        (Beside::Rules, ..) => open(Some(contrary)),
        (Beside::PriorityBelow, ..) => with(None, contrary),
        (Beside::PriorityAbove, ..) => hidden(Some(contrary)),
        (Beside::NetworkPolicyAllows, Tier::Admin, Deny) => open(None),
        (Beside::NetworkPolicyAllows, Tier::Admin, Pass) => open(Some(Deny)),
        (Beside::NetworkPolicyAllows, Tier::Baseline, Deny) => hidden(None),
        (Beside::NetworkPolicyAllows, ..) => Err(SAME),
        (Beside::NetworkPolicyDenies, Tier::Admin, Accept) => open(None),
        (Beside::NetworkPolicyDenies, Tier::Admin, Pass) => open(Some(Accept)),
        (Beside::NetworkPolicyDenies, Tier::Baseline, Accept | Pass) => hidden(None),
        (Beside::NetworkPolicyDenies, ..) => Err(SAME),
        (Beside::OtherTierAccepts, Tier::Admin, Deny) => with(None, Accept),
        (Beside::OtherTierAccepts, Tier::Admin, Pass) => with(Some(Deny), Accept),
        (Beside::OtherTierAccepts, Tier::Baseline, Deny) => hidden(Some(Accept)),
        (Beside::OtherTierAccepts, ..) => Err(SAME),
        (Beside::OtherTierDenies, Tier::Admin, Accept) => with(None, Deny),
        (Beside::OtherTierDenies, Tier::Admin, Pass) => with(Some(Accept), Deny),
        (Beside::OtherTierDenies, Tier::Baseline, Accept | Pass) => hidden(Some(Deny)),
        (Beside::OtherTierDenies, ..) => Err(SAME),
        (Beside::OtherTierPasses, Tier::Admin, Accept | Deny) => {
            Err("what the Baseline tier hands on is what the tested rule has not left to it")
        }
        (Beside::OtherTierPasses, ..) => with(denying, Pass),
    }
}
