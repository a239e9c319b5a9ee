//! A decision in one sentence.

use crate::model::{
    Cell, ClusterAction, ClusterRuleRef, Decision, Direction, Effect, Endpoint, Exception,
    Exemption, PolicyRef, RuleRef, Side, Tier, Verdict,
};

/// How many policies or rules a sentence names before it only counts them.
const NAMED: usize = 3;

/// One plain sentence of why a cell is decided as it is, with the policy, the rule and
/// their `file:line:column`. It starts in lower case and has no full stop.
pub fn why(cell: &Cell, decision: &Decision) -> String {
    let sides = [
        Told { cell, direction: Direction::Egress, side: &decision.egress },
        Told { cell, direction: Direction::Ingress, side: &decision.ingress },
    ];
    let of =
        |wanted: fn(&Effect) -> bool| sides.iter().filter(move |told| wanted(&told.side.effect));
    match decision.verdict {
        Verdict::Deny => {
            let denied = of(|effect| matches!(effect, Effect::Denied | Effect::DeniedBy(_)))
                .map(Told::denied);
            denied.collect::<Vec<_>>().join("; and ")
        }
        Verdict::Undefined(clause) => {
            let open = of(|effect| matches!(effect, Effect::Undefined(_))).next();
            let told = open.map(|told| told.open("the API leaves it open")).unwrap_or_default();
            format!("{told}: {}", clause.sentence())
        }
        Verdict::Unknown(fact) => match of(|effect| matches!(effect, Effect::Unknown(_))).next() {
            Some(told) if !told.side.isolating.is_empty() || !told.side.cluster.is_empty() => {
                format!("{}: {fact}", told.open("a fact is missing"))
            }
            _ => format!("`{}` to `{}`: {fact}", cell.source, cell.destination),
        },
        Verdict::Allow => allowed(&sides),
    }
}

fn allowed([egress, ingress]: &[Told<'_>; 2]) -> String {
    let untouched =
        |told: &Told<'_>| told.side.effect == Effect::NotIsolated && told.side.cluster.is_empty();
    if untouched(egress) && untouched(ingress) {
        let (source, destination) = (egress.subject(), ingress.subject());
        return format!(
            "no policy isolates `{source}` for egress, and none isolates `{destination}` for ingress"
        );
    }
    let told: Vec<String> = [egress, ingress].into_iter().filter_map(Told::allowed).collect();
    if told.is_empty() {
        return "neither end is a pod, and policies are about pods alone".to_owned();
    }
    told.join(", and ")
}

/// One side of a cell, to be told of.
struct Told<'a> {
    cell: &'a Cell,
    direction: Direction,
    side: &'a Side,
}

impl Told<'_> {
    const fn subject(&self) -> &Endpoint {
        match self.direction {
            Direction::Egress => &self.cell.source,
            Direction::Ingress => &self.cell.destination,
        }
    }

    const fn peer(&self) -> &Endpoint {
        match self.direction {
            Direction::Egress => &self.cell.destination,
            Direction::Ingress => &self.cell.source,
        }
    }

    /// `` `prod/db` on 3306/TCP ``
    fn asked(&self) -> String {
        format!("`{}` on {}/{}", self.peer(), self.cell.port, self.cell.protocol)
    }

    fn isolated(&self) -> String {
        let policies = listed(&self.side.isolating, policy);
        format!("`{}` is isolated for {} by {policies}", self.subject(), self.direction)
    }

    fn theirs(&self) -> &'static str {
        if self.side.isolating.len() == 1 { "it" } else { "theirs" }
    }

    /// What the deciding rule of this tier does.
    fn decided(&self, tier: Tier, action: ClusterAction) -> String {
        let asked = self.asked();
        let (verb, plural) = match action {
            ClusterAction::Accept => ("accepts", "accept"),
            ClusterAction::Deny => ("denies", "deny"),
            ClusterAction::Pass => ("passes on", "pass on"),
        };
        let rules = self.side.cluster.iter();
        let deciding = rules.filter(|rule| rule.tier == tier && rule.action == action);
        let deciding: Vec<&ClusterRuleRef> = deciding.collect();
        let verb = if deciding.len() == 1 { verb } else { plural };
        let rules = listed(&deciding, |rule| cluster_rule(rule));
        let (subject, direction) = (self.subject(), self.direction);
        format!("{rules} {verb} {asked} in {direction} of `{subject}`{}", self.passed(Some(tier)))
    }

    /// Which rules passed the connection on to what decides, `before` a tier or at all.
    fn passed(&self, before: Option<Tier>) -> String {
        let rules = self.side.cluster.iter().filter(|rule| {
            rule.action == ClusterAction::Pass && before.is_none_or(|tier| rule.tier < tier)
        });
        let rules: Vec<&ClusterRuleRef> = rules.collect();
        if rules.is_empty() {
            return String::new();
        }
        format!(", to which {} passed it on", listed(&rules, |rule| cluster_rule(rule)))
    }

    fn denied(&self) -> String {
        if let Effect::DeniedBy(tier) = self.side.effect {
            return self.decided(tier, ClusterAction::Deny);
        }
        let passed = self.passed(None);
        let (isolated, theirs, asked) = (self.isolated(), self.theirs(), self.asked());
        let excepted = match self.side.excepted.as_slice() {
            [] => String::new(),
            some => format!("; `{}` is left out by {}", self.peer(), listed(some, exception)),
        };
        format!("{isolated}{passed}, and no rule of {theirs} allows {asked}{excepted}")
    }

    fn open(&self, what: &str) -> String {
        if !self.side.cluster.is_empty() {
            let rules = self.side.cluster.iter().map(cluster_rule);
            let rules: Vec<String> = rules.chain(self.side.rules.iter().map(rule)).collect();
            let rules = listed(&rules, Clone::clone);
            return format!("whether {} is allowed hangs on {rules}, and {what}", self.asked());
        }
        let hangs = match self.side.rules.as_slice() {
            [] => format!("no rule of {} allows {}", self.theirs(), self.asked()),
            rules => {
                format!("whether {} is allowed hangs on {}", self.asked(), listed(rules, rule))
            }
        };
        format!("{}, {hangs}, and {what}", self.isolated())
    }

    /// What allows this side; nothing to tell where the end is no pod.
    fn allowed(&self) -> Option<String> {
        match self.side.effect {
            Effect::NotIsolated => {
                let (subject, direction) = (self.subject(), self.direction);
                Some(format!("no policy isolates `{subject}` for {direction}{}", self.passed(None)))
            }
            Effect::Exempt(Exemption::OwnNode) => Some(format!(
                "`{}` is the node that `{}` runs on, which is always let in",
                self.peer(),
                self.subject()
            )),
            Effect::Allowed => {
                let verb = if self.side.rules.len() == 1 { "allows" } else { "allow" };
                let (rules, asked) = (listed(&self.side.rules, rule), self.asked());
                Some(format!("{rules} {verb} {asked}{}", self.passed(None)))
            }
            Effect::AcceptedBy(tier) => Some(self.decided(tier, ClusterAction::Accept)),
            Effect::Exempt(Exemption::NotAPod)
            | Effect::Denied
            | Effect::DeniedBy(_)
            | Effect::Undefined(_)
            | Effect::Unknown(_) => None,
        }
    }
}

fn policy(policy: &PolicyRef) -> String {
    format!("`{}` ({})", policy.name, policy.origin)
}

/// `` `egress[2]` (Deny) of `ClusterNetworkPolicy/guard` (Admin tier, priority 10, p.yaml:9:5) ``
fn cluster_rule(rule: &ClusterRuleRef) -> String {
    let ClusterRuleRef { policy, tier, direction, rule: index, origin, .. } = rule;
    let word = policy.kind.word(rule.action);
    let named = rule.name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
    let priority = rule.priority.map(|number| format!(", priority {number}")).unwrap_or_default();
    format!(
        "`{direction}[{index}]`{named} ({word}) of `{policy}` ({tier} tier{priority}, {origin})"
    )
}

fn rule(rule: &RuleRef) -> String {
    format!("`{}[{}]` of `{}` ({})", rule.direction, rule.rule, rule.policy, rule.origin)
}

/// `` `192.0.2.0/24` in the except of `ingress[0].from[1]` of `prod/db` (p.yaml:9:7) ``
fn exception(found: &Exception) -> String {
    let Exception { policy, direction, rule, peer, range, origin } = found;
    let peers = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    format!(
        "`{range}` in the except of `{direction}[{rule}].{peers}[{peer}]` of `{policy}` ({origin})"
    )
}

/// `a, b and c`, or `a, b, c and 4 more`.
fn listed<T>(items: &[T], name: impl Fn(&T) -> String) -> String {
    let mut names: Vec<String> = items.iter().take(NAMED).map(name).collect();
    if items.len() > NAMED {
        names.push(format!("{} more", items.len() - NAMED));
    }
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "no policy".to_owned(),
    }
}
