//! Selectors resolved to sets of pods.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use fixedbitset::FixedBitSet;

use crate::model::{LabelSelector, Name, Namespace, Pod, PodName};

/// Selectors resolved to sets of pods, each selector once.
pub(super) struct Selection<'w> {
    names: &'w [PodName],
    pods: &'w [Pod],
    namespaces: &'w BTreeMap<Name, Namespace>,
    residents: HashMap<&'w Name, Rc<FixedBitSet>>,
    by_pod_labels: HashMap<LabelSelector, Rc<FixedBitSet>>,
    by_namespace_labels: HashMap<LabelSelector, Rc<FixedBitSet>>,
}

impl<'w> Selection<'w> {
    pub(super) fn new(
        names: &'w [PodName],
        pods: &'w [Pod],
        namespaces: &'w BTreeMap<Name, Namespace>,
    ) -> Self {
        let mut residents: HashMap<&Name, FixedBitSet> = HashMap::new();
        for (index, name) in names.iter().enumerate() {
            if namespaces.contains_key(&name.namespace) {
                residents
                    .entry(&name.namespace)
                    .or_insert_with(|| FixedBitSet::with_capacity(pods.len()))
                    .insert(index);
            }
        }
        Self {
            names,
            pods,
            namespaces,
            residents: residents.into_iter().map(|(name, pods)| (name, Rc::new(pods))).collect(),
            by_pod_labels: HashMap::new(),
            by_namespace_labels: HashMap::new(),
        }
    }

    /// The pods of a namespace that a selector matches, or all of them.
    pub(super) fn within(
        &mut self,
        namespace: &Name,
        pod_selector: Option<&LabelSelector>,
    ) -> FixedBitSet {
        let none = || Rc::new(FixedBitSet::with_capacity(self.pods.len()));
        let residents = self.residents.get(namespace).cloned().unwrap_or_else(none);
        self.of_both(&residents, pod_selector)
    }

    /// The pods that a selector matches, or all of them, in the namespaces that another does.
    pub(super) fn across(
        &mut self,
        namespace_selector: &LabelSelector,
        pod_selector: Option<&LabelSelector>,
    ) -> FixedBitSet {
        let namespaces = self.in_namespaces(namespace_selector);
        self.of_both(&namespaces, pod_selector)
    }

    fn of_both(
        &mut self,
        namespaces: &FixedBitSet,
        pod_selector: Option<&LabelSelector>,
    ) -> FixedBitSet {
        let mut both = namespaces.clone();
        if let Some(selector) = pod_selector {
            both.intersect_with(&self.labelled(selector));
        }
        both
    }

    fn labelled(&mut self, selector: &LabelSelector) -> Rc<FixedBitSet> {
        if let Some(known) = self.by_pod_labels.get(selector) {
            return known.clone();
        }
        let matching = self.pods.iter().enumerate();
        let matching = matching.filter(|(_, pod)| selector.matches(&pod.labels));
        let set = Rc::new(set_of(self.pods.len(), matching.map(|(index, _)| index)));
        self.by_pod_labels.insert(selector.clone(), set.clone());
        set
    }

    fn in_namespaces(&mut self, selector: &LabelSelector) -> Rc<FixedBitSet> {
        if let Some(known) = self.by_namespace_labels.get(selector) {
            return known.clone();
        }
        let selected = |name: &PodName| {
            let namespace = self.namespaces.get(&name.namespace);
            namespace.is_some_and(|namespace| selector.matches(&namespace.labels))
        };
        let matching = self.names.iter().enumerate().filter(|(_, name)| selected(name));
        let set = Rc::new(set_of(self.pods.len(), matching.map(|(index, _)| index)));
        self.by_namespace_labels.insert(selector.clone(), set.clone());
        set
    }
}

fn set_of(capacity: usize, members: impl Iterator<Item = usize>) -> FixedBitSet {
    let mut set = FixedBitSet::with_capacity(capacity);
    members.for_each(|member| set.insert(member));
    set
}
