//! Which rights a run lacks, asked before anything is made.

use futures_util::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};

use super::rbac::{Grant, ROLE};

/// How many questions are under way at once.
const AT_ONCE: usize = 8;

/// A right that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What may not be done.
    pub verb: &'static str,
    /// The grant that it belongs to.
    pub grant: Grant,
    /// What the authorizer says of it; often nothing.
    pub reason: String,
}

/// Asks for every right of the role, and returns those that are missing, in the role's
/// order. Asking needs no right: every authenticated user may
/// (`system:basic-user`, <https://kubernetes.io/docs/reference/access-authn-authz/rbac/>).
///
/// # Errors
/// Those of the API server, which has answered nothing then.
pub async fn missing(client: &Client) -> Result<Vec<Missing>, kube::Error> {
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let rights = ROLE.iter().flat_map(|grant| grant.verbs.iter().map(move |verb| (*grant, *verb)));
    let answers = stream::iter(rights.map(|(grant, verb)| ask(&api, grant, verb)));
    let missing: Vec<Option<Missing>> = answers.buffered(AT_ONCE).try_collect().await?;
    Ok(missing.into_iter().flatten().collect())
}

async fn ask(
    api: &Api<SelfSubjectAccessReview>,
    grant: Grant,
    verb: &'static str,
) -> Result<Option<Missing>, kube::Error> {
    let (resource, subresource) = match grant.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource)),
        None => (grant.resource, None),
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            // No namespace: in all of them.
            resource_attributes: Some(ResourceAttributes {
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
    Ok((!status.allowed).then_some(Missing { verb, grant, reason }))
}

/// One message for everything that is missing, and what to do about it.
pub fn message(missing: &[Missing]) -> String {
    let mut text = String::from("this account may not do everything that a run needs; missing:");
    for grant in &ROLE {
        let verbs: Vec<&str> =
            missing.iter().filter(|right| right.grant == *grant).map(|right| right.verb).collect();
        if !verbs.is_empty() {
            let (verbs, why) = (verbs.join(", "), grant.why);
            text.push_str(&format!("\n  {verbs} `{}`: {why}", grant.full_name()));
        }
    }
    text.push_str("\ngive it the role that `ringfence rbac` prints");
    text
}
