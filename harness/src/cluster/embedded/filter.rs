//! The packet filter of one node: what is installed there, and what it reports.

use std::net::IpAddr;

use anyhow::Context;
use ipnet::IpNet;
use ringfence_probe::Report;

use super::dataplane::{self, Dataplane, DropLog, NodeView, Service};
use super::fault::Instruction;
use super::installer::Installer;
use super::obstacle::{Obstacle, Part};
use crate::model::{Name, World};

/// One node's packet filter.
#[derive(Debug)]
pub(super) struct Filter {
    node: Name,
    installer: Installer,
    /// Whether drops are told to the packet log.
    evidence: bool,
    log: Option<DropLog>,
}

impl Filter {
    /// Opens the packet filter of the calling thread's network namespace, and reads
    /// its reports where `evidence` is wanted.
    pub(super) fn open(node: &Name, evidence: bool) -> anyhow::Result<Self> {
        let dataplane = Obstacle::netlink(Part::Filter, Dataplane::open())?;
        let log = if evidence { Some(dataplane.drop_log(node.clone())?) } else { None };
        let installer = Installer::new(node.clone(), dataplane);
        Ok(Self { node: node.clone(), installer, evidence, log })
    }

    /// Enforces a world's policies from now on. Does nothing where nothing changes.
    pub(super) fn enforce(&mut self, world: &World, view: &NodeView) -> anyhow::Result<()> {
        self.installer.install(dataplane::compile(world, view, self.evidence))
    }

    /// Carries out orders of a dataplane that is late or wrong, the earliest first.
    pub(super) fn obey(&mut self, orders: &[Instruction]) -> anyhow::Result<()> {
        for Instruction { world, view, flaws, after } in orders {
            let ruleset = flaws.compile(world, view, self.evidence);
            match after.is_zero() {
                true => self.installer.install(ruleset)?,
                false => self.installer.install_late(ruleset, *after)?,
            }
        }
        Ok(())
    }

    /// Hides the pods of the node, which has these addresses, behind it from now on, where they
    /// connect by this interface to pods of these ranges: a fault.
    pub(super) fn rewrite_sources(
        &self,
        addresses: &[IpAddr],
        uplink: u32,
        pods: &[IpNet],
    ) -> anyhow::Result<()> {
        let node = &self.node;
        self.installer.with(|dataplane| {
            Obstacle::netlink(Part::Filter, dataplane.rewrite_sources(addresses, uplink, pods))
                .with_context(|| format!("rewrite sources on node `{node}`"))
        })
    }

    /// Leads connections from the node, which has these addresses, and from its pods to the
    /// pods of these Services from now on.
    pub(super) fn add_services(
        &mut self,
        addresses: &[IpAddr],
        services: &[Service],
    ) -> anyhow::Result<()> {
        let node = &self.node;
        self.installer.with(|dataplane| {
            Obstacle::netlink(Part::Filter, dataplane.add_services(addresses, services))
                .with_context(|| format!("lead to Services on node `{node}`"))
        })
    }

    /// Leads to Services that were added no longer.
    pub(super) fn remove_services(&self, services: &[Service]) -> anyhow::Result<()> {
        let node = &self.node;
        self.installer.with(|dataplane| {
            Obstacle::netlink(Part::Filter, dataplane.remove_services(services))
                .with_context(|| format!("remove Services from node `{node}`"))
        })
    }

    /// Its node, and what is installed there in words.
    pub(super) fn describe(&self) -> (&Name, String) {
        let nothing = || "nothing is known to be installed\n".to_owned();
        (&self.node, self.installer.describe().unwrap_or_else(nothing))
    }

    /// Forgets every connection, so that each attempt is a new one to the filter:
    /// a later attempt from the same port must not pass as an answer to an earlier one.
    pub(super) fn forget_connections(&mut self) -> anyhow::Result<()> {
        let node = &self.node;
        self.installer.with(|dataplane| {
            Obstacle::netlink(Part::Filter, dataplane.flush_conntrack())
                .with_context(|| format!("forget the connections of node `{node}`"))
        })
    }

    /// Hands over the packet log itself, until it is returned; `None` where there is none.
    pub(super) fn take_log(&mut self) -> Option<DropLog> {
        self.log.take()
    }

    /// Takes the packet log back.
    pub(super) fn return_log(&mut self, log: Option<DropLog>) {
        self.log = log;
    }

    /// Hands over what was dropped since the last call.
    pub(super) fn reports(&mut self, sink: &mut dyn FnMut(Report)) {
        if let Some(log) = &mut self.log {
            log.read(sink);
        }
    }
}
