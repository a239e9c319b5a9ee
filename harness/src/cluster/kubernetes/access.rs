//! Which rights a run lacks, asked before anything is made.

use futures_util::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};

use super::options::PullSecret;
use super::rbac::{Extent, Grant, Need, READ_PULL_SECRET, grants};

/// How many questions are under way at once.
const AT_ONCE: usize = 8;

/// A right that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What may not be done.
    pub verb: &'static str,
    /// The grant that it belongs to.
    pub grant: Grant,
    /// The one object that it is about, as `namespace/name`; `None`: all of the kind.
    pub object: Option<String>,
    /// What the authorizer says of it; often nothing.
    pub reason: String,
}

/// Asks for every right that a run cannot do without, those about its pull secret among
/// them where it has one, those about policies of the cluster's scope where it may make them, and
/// returns those that are missing, in the role's order. Asking needs no right: every
/// authenticated user may (`system:basic-user`,
/// <https://kubernetes.io/docs/reference/access-authn-authz/rbac/>).
///
/// # Errors
/// Those of the API server, which has answered nothing then.
pub async fn missing(
    client: &Client,
    pull_secret: Option<&PullSecret>,
    cluster_scoped: bool,
) -> Result<Vec<Missing>, kube::Error> {
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let mut questions = Vec::new();
    let extent = Extent { pull_secret: pull_secret.is_some(), cluster_scoped };
    for grant in grants(extent).filter(|grant| grant.need != Need::Diagnosis) {
        for verb in grant.verbs {
            questions.push(ask(&api, grant, verb, None));
        }
    }
    if let Some(PullSecret { namespace, name }) = pull_secret {
        let namespace = namespace.as_deref().unwrap_or(client.default_namespace());
        questions.push(ask(&api, READ_PULL_SECRET, "get", Some((namespace, name))));
    }
    let missing: Vec<Option<Missing>> =
        stream::iter(questions).buffered(AT_ONCE).try_collect().await?;
    Ok(missing.into_iter().flatten().collect())
}

async fn ask(
    api: &Api<SelfSubjectAccessReview>,
    grant: Grant,
    verb: &'static str,
    object: Option<(&str, &str)>,
) -> Result<Option<Missing>, kube::Error> {
    let (resource, subresource) = match grant.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource)),
        None => (grant.resource, None),
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                // No namespace: in all of them.
                namespace: object.map(|(namespace, _)| namespace.to_owned()),
                name: object.map(|(_, name)| name.to_owned()),
                group: Some(grant.group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource: subresource.map(str::to_owned),
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let status = api.create(&PostParams::default(), &review).await?.status.unwrap_or_default();
    let reason = status.reason.unwrap_or_default();
    let object = object.map(|(namespace, name)| format!("{namespace}/{name}"));
    Ok((!status.allowed).then_some(Missing { verb, grant, object, reason }))
}

/// One message for everything that is missing, and what to do about it; `None` where
/// nothing is.
pub fn message(missing: &[Missing]) -> Option<String> {
    let mut lines: Vec<(Grant, Option<&String>, Vec<&str>)> = Vec::new();
    for Missing { grant, verb, object, .. } in missing {
        match lines.iter_mut().find(|(other, _, _)| other == grant) {
            Some((_, _, verbs)) => verbs.push(verb),
            None => lines.push((*grant, object.as_ref(), vec![verb])),
        }
    }
    if lines.is_empty() {
        return None;
    }
    let mut text =
        "expected the rights that a run needs, found that this account may not:".to_owned();
    for (grant, object, verbs) in lines {
        let object = object.map(|object| format!(" `{object}`")).unwrap_or_default();
        let (verbs, name, why) = (verbs.join(", "), grant.full_name(), grant.why);
        text.push_str(&format!("\n  {verbs} `{name}`{object}: {why}"));
    }
    let mut reasons = missing.iter().map(|right| right.reason.as_str());
    if let Some(reason) = reasons.find(|reason| !reason.is_empty()) {
        text.push_str(&format!("\nthe cluster says: {reason}"));
    }
    let scoped = missing.iter().any(|right| right.grant.need == Need::ClusterScoped);
    let flag = if scoped { " --allow-cluster-scoped" } else { "" };
    text.push_str(&format!(
        "\n`ringfence rbac{flag}` prints the least role; have it given to this account"
    ));
    Some(text)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn one_message_names_everything_that_is_missing() {
        let right = |resource: &str, verb, reason: &str| {
            let mut grants = grants(Extent::ALL);
            let grant = grants.find(|grant| grant.resource == resource).unwrap();
            Missing { verb, grant, object: None, reason: reason.to_owned() }
        };
        let secret = Missing {
            verb: "get",
            grant: READ_PULL_SECRET,
            object: Some("infra/registry".to_owned()),
            reason: String::new(),
        };
        assert_eq!(message(&[]), None);
        let missing = [
            right("namespaces", "create", ""),
            right("namespaces", "delete", ""),
            right("networkpolicies", "patch", "no policy matched"),
            right("adminnetworkpolicies", "list", ""),
            secret,
        ];
        expect![[r#"
            expected the rights that a run needs, found that this account may not:
              create, delete `namespaces`: every scenario gets namespaces of its own, which go with the run
              patch `networkpolicies.networking.k8s.io`: the policies that are put to the test, by server-side apply
              list `adminnetworkpolicies.policy.networking.k8s.io`: policies of the cluster that are put to the test; where others' are among those that are listed, the run makes none
              get `secrets` `infra/registry`: the secret to pull the agent's image with is read where it is
            the cluster says: no policy matched
            `ringfence rbac --allow-cluster-scoped` prints the least role; have it given to this account"#]]
        .assert_eq(&message(&missing).unwrap());
    }
}
