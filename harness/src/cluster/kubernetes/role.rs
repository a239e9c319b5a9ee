//! The least role as objects, and as a text to read and apply (`ringfence rbac`).

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_saphyr::ser::Error;
use textwrap::Options;

use super::rbac::{Extent, Grant, grants};

const GROUP: &str = "rbac.authorization.k8s.io";

/// How wide comments are.
const WIDTH: usize = 92;

/// Who gets the role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The name of everything that is printed.
    pub name: String,
    /// The namespace of a service account that is printed with the role and gets it;
    /// `None`: whoever applies the role binds it.
    pub namespace: Option<String>,
    /// Whether runs may make policies of the cluster's scope.
    pub cluster_scoped: bool,
    /// Namespace and name of the secret to pull the agent's image with.
    pub pull_secret: Option<(String, String)>,
}

/// The rule of a grant.
pub fn rule(grant: &Grant) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![grant.group.to_owned()]),
        resources: Some(vec![grant.resource.to_owned()]),
        verbs: grant.verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    }
}

/// The role with these rules.
pub fn cluster_role(name: &str, rules: Vec<PolicyRule>) -> ClusterRole {
    ClusterRole {
        metadata: named(name, None),
        rules: (!rules.is_empty()).then_some(rules),
        ..ClusterRole::default()
    }
}

/// What gives the role to the service account of the same name.
pub fn binding(name: &str, namespace: &str) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: named(name, None),
        role_ref: role_ref("ClusterRole", name),
        subjects: Some(vec![account(name, namespace)]),
    }
}

/// The service account.
pub fn service_account(name: &str, namespace: &str) -> ServiceAccount {
    ServiceAccount { metadata: named(name, Some(namespace)), ..ServiceAccount::default() }
}

fn named(name: &str, namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        ..ObjectMeta::default()
    }
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: Some(GROUP.to_owned()), kind: kind.to_owned(), name: name.to_owned() }
}

fn account(name: &str, namespace: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: name.to_owned(),
        namespace: Some(namespace.to_owned()),
        ..Subject::default()
    }
}

/// Everything that `kubectl apply` needs, with the reason of every rule.
///
/// # Errors
/// Where an object cannot be written as YAML.
pub fn yaml(request: &Request) -> Result<String, Error> {
    let Request { name, namespace, cluster_scoped, pull_secret } = request;
    let mut text = comment(
        "The least role for `ringfence run --on kubeconfig`. A run makes namespaces, whose names \
         nobody knows before, and works in those alone; so its rights are for all namespaces.",
    );
    if *cluster_scoped {
        text.push_str(&comment(
            "With `--allow-cluster-scoped` it makes policies of the cluster as well, whose subjects \
             are the pods of its own namespaces.",
        ));
    }
    text.push_str(&serde_saphyr::to_string(&cluster_role(name, Vec::new()))?);
    text.push_str("rules:\n");
    let extent = Extent { pull_secret: pull_secret.is_some(), cluster_scoped: *cluster_scoped };
    for grant in grants(extent) {
        text.push_str(&comment(&sentence(grant.why)));
        text.push_str(&serde_saphyr::to_string(&[rule(&grant)])?);
    }
    if let Some(namespace) = namespace {
        let about = "Who runs it: `kubectl create token` makes a token for this account.";
        push(&mut text, about, &service_account(name, namespace))?;
        push(&mut text, "Gives the role to the account.", &binding(name, namespace))?;
    }
    if let Some((from, secret)) = pull_secret {
        let reading = Role {
            metadata: named(name, Some(from)),
            rules: Some(vec![PolicyRule {
                api_groups: Some(vec![String::new()]),
                resources: Some(vec!["secrets".to_owned()]),
                resource_names: Some(vec![secret.clone()]),
                verbs: vec!["get".to_owned()],
                ..PolicyRule::default()
            }]),
        };
        push(
            &mut text,
            "Lets this one secret be read, which nodes pull the image with.",
            &reading,
        )?;
        if let Some(namespace) = namespace {
            let binding = RoleBinding {
                metadata: named(name, Some(from)),
                role_ref: role_ref("Role", name),
                subjects: Some(vec![account(name, namespace)]),
            };
            push(&mut text, "Gives that to the account.", &binding)?;
        }
    }
    Ok(text)
}

fn push(text: &mut String, about: &str, object: &impl Serialize) -> Result<(), Error> {
    text.push_str("---\n");
    text.push_str(&comment(about));
    text.push_str(&serde_saphyr::to_string(object)?);
    Ok(())
}

/// A phrase with a capital letter and a full stop.
fn sentence(phrase: &str) -> String {
    let mut characters = phrase.chars();
    let first = characters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}

fn comment(text: &str) -> String {
    let options = Options::new(WIDTH).initial_indent("# ").subsequent_indent("# ");
    textwrap::fill(text, options) + "\n"
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;

    #[test]
    fn the_role_is_printed_with_reasons() {
        let name = "ringfence".to_owned();
        let alone = Request {
            name: name.clone(),
            namespace: None,
            cluster_scoped: false,
            pull_secret: None,
        };
        expect_file!["golden/role.yaml"].assert_eq(&yaml(&alone).unwrap());
        let account = Request {
            name,
            namespace: Some("testing".to_owned()),
            cluster_scoped: true,
            pull_secret: Some(("infra".to_owned(), "registry".to_owned())),
        };
        expect_file!["golden/role-account.yaml"].assert_eq(&yaml(&account).unwrap());
    }
}
