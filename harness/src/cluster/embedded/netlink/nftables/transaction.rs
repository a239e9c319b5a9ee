//! A transaction: changes that the kernel makes together or not at all.

use super::super::message::messages;
use super::super::{Messages, NetlinkError, Socket, attributes, flags};
use super::element::ELEMENTS_PER_MESSAGE;
use super::{Element, Expressions, NFPROTO_INET, Set, Verdict};

const BATCH_BEGIN: u16 = 0x10; // NFNL_MSG_BATCH_BEGIN
const BATCH_END: u16 = 0x11;
const SUBSYSTEM: u16 = 10; // NFNL_SUBSYS_NFTABLES
const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const NEW_SET: u16 = 9;
const NEW_ELEMENTS: u16 = 12;
const DELETE_ELEMENTS: u16 = 14;

/// Where packets pass a chain (`enum nf_inet_hooks`, `enum nf_ip_hook_priorities`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super::super) enum Hook {
    /// Forwarded packets, at a priority: the lower ones first.
    Forward(i32),
    /// Packets to this very namespace, at a priority.
    Input(i32),
    /// Packets of this very namespace on their way out, at a priority.
    Own(i32),
    /// The first packet of a connection as it comes in, before it is routed (`dstnat`).
    RewriteIncoming,
    /// The first packet of a connection of this very namespace (`dstnat`).
    RewriteOwn,
    /// The first packet of a connection as it goes out (`srcnat`).
    RewriteOutgoing,
}

impl Hook {
    /// Its number, its priority, and the type of its chains.
    const fn place(self) -> (u32, i32, &'static str) {
        match self {
            Self::Forward(priority) => (2, priority, "filter"),
            Self::Input(priority) => (1, priority, "filter"),
            Self::Own(priority) => (3, priority, "filter"),
            Self::RewriteIncoming => (0, -100, "nat"),
            Self::RewriteOwn => (3, -100, "nat"),
            Self::RewriteOutgoing => (4, 100, "nat"),
        }
    }
}

/// Changes to tables of the inet family that are made together.
#[derive(Debug)]
pub(in super::super::super) struct Transaction {
    messages: Messages,
}

impl Transaction {
    /// An empty transaction for this socket.
    pub(in super::super::super) fn begin(socket: &Socket) -> Self {
        let mut messages = socket.messages();
        marker(&mut messages, BATCH_BEGIN);
        Self { messages }
    }

    /// How many bytes it has so far.
    pub(in super::super::super) fn size(&self) -> usize {
        self.messages.bytes().len()
    }

    fn change(&mut self, kind: u16, flags: u16, body: impl FnOnce(&mut Messages)) {
        self.messages.message(SUBSYSTEM << 8 | kind, flags, |m| {
            m.fixed(&[NFPROTO_INET, 0, 0, 0]); // struct nfgenmsg
            body(m);
        });
    }

    /// Adds a table.
    pub(in super::super::super) fn add_table(&mut self, name: &str) {
        self.change(NEW_TABLE, flags::CREATE | flags::EXCL, |m| m.text(1, name));
    }

    /// Deletes a table with everything in it.
    pub(in super::super::super) fn delete_table(&mut self, name: &str) {
        self.change(DELETE_TABLE, 0, |m| m.text(1, name));
    }

    /// Adds a chain that no packet reaches but by a jump.
    pub(in super::super::super) fn add_chain(&mut self, table: &str, name: &str) {
        self.change(NEW_CHAIN, flags::CREATE | flags::EXCL, |m| {
            m.text(1, table);
            m.text(3, name);
        });
    }

    /// Adds a chain that packets pass. What comes to its end is accepted.
    pub(in super::super::super) fn add_base_chain(&mut self, table: &str, name: &str, hook: Hook) {
        let (number, priority, kind) = hook.place();
        self.change(NEW_CHAIN, flags::CREATE | flags::EXCL, |m| {
            m.text(1, table);
            m.text(3, name);
            m.nested(4, |m| {
                m.be32(1, number); // NFTA_HOOK_HOOKNUM
                m.be32(2, priority.cast_unsigned()); // NFTA_HOOK_PRIORITY
            });
            m.be32(5, Verdict::Accept.code().cast_unsigned()); // NFTA_CHAIN_POLICY
            m.text(7, kind); // NFTA_CHAIN_TYPE
        });
    }

    /// Adds an empty set.
    pub(in super::super::super) fn add_set(&mut self, table: &str, set: &Set<'_>) {
        // Sets are found by name; the number only has to differ within the transaction.
        let id = u32::try_from(self.messages.len()).expect("a transaction fits a socket buffer");
        self.change(NEW_SET, flags::CREATE | flags::EXCL, |m| {
            m.text(1, table);
            set.write(m, id);
        });
    }

    /// Adds elements to a set that this or an earlier transaction added.
    pub(in super::super::super) fn add_elements(
        &mut self,
        table: &str,
        set: &str,
        elements: &[Element<'_>],
    ) {
        self.change_elements(NEW_ELEMENTS, flags::CREATE | flags::EXCL, table, set, elements);
    }

    /// Deletes elements of a set.
    pub(in super::super::super) fn delete_elements(
        &mut self,
        table: &str,
        set: &str,
        elements: &[Element<'_>],
    ) {
        self.change_elements(DELETE_ELEMENTS, 0, table, set, elements);
    }

    fn change_elements(
        &mut self,
        kind: u16,
        flags: u16,
        table: &str,
        set: &str,
        elements: &[Element<'_>],
    ) {
        for part in elements.chunks(ELEMENTS_PER_MESSAGE) {
            self.change(kind, flags, |m| {
                m.text(1, table);
                m.text(2, set);
                m.nested(3, |m| part.iter().for_each(|element| element.write(m)));
            });
        }
    }

    /// Adds a rule at the end of a chain.
    pub(in super::super::super) fn add_rule(
        &mut self,
        table: &str,
        chain: &str,
        body: impl FnOnce(&mut Expressions<'_>),
    ) {
        self.change(NEW_RULE, flags::CREATE | flags::APPEND, |m| {
            m.text(1, table);
            m.text(2, chain);
            m.nested(4, |m| body(&mut Expressions::new(m))); // NFTA_RULE_EXPRESSIONS
        });
    }

    /// Has the kernel make the changes; returns when they are in force.
    ///
    /// # Errors
    /// The first refusal, with what was refused in words. Nothing is changed then.
    pub(in super::super::super) fn commit(mut self, socket: &Socket) -> Result<(), NetlinkError> {
        self.messages.acknowledge_last();
        let last = self.messages.last_sequence();
        marker(&mut self.messages, BATCH_END);
        socket.execute_until(&self.messages, last).map_err(|error| match error {
            NetlinkError::Refused { position, errno, text } => {
                let object = refused(self.messages.bytes(), position);
                NetlinkError::RefusedObject { object, errno, text }
            }
            other => other,
        })
    }
}

/// The begin or end of a batch; both name the subsystem.
fn marker(messages: &mut Messages, kind: u16) {
    let [high, low] = SUBSYSTEM.to_be_bytes();
    messages.message(kind, 0, |m| m.fixed(&[0, 0, high, low]));
}

/// What the message at this position, from 1, was to do.
fn refused(sent: &[u8], position: usize) -> String {
    let Some((kind, _, _, body)) = messages(sent).nth(position - 1) else {
        return format!("nf_tables message {position}");
    };
    let name = |wanted: u16| {
        attributes(body.get(4..).unwrap_or_default())
            .find(|(kind, _)| *kind == wanted)
            .map(|(_, text)| String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
            .unwrap_or_default()
    };
    let table = name(1);
    match (kind >> 8, kind & 0xff) {
        (SUBSYSTEM, NEW_TABLE) => format!("a new table `{table}`"),
        (SUBSYSTEM, DELETE_TABLE) => format!("the removal of table `{table}`"),
        (SUBSYSTEM, NEW_CHAIN) => format!("a new chain `{}` in table `{table}`", name(3)),
        (SUBSYSTEM, NEW_SET) => format!("a new set `{}` in table `{table}`", name(2)),
        (SUBSYSTEM, NEW_ELEMENTS) => {
            format!("new elements of set `{}` in table `{table}`", name(2))
        }
        (SUBSYSTEM, DELETE_ELEMENTS) => {
            format!("the removal of elements of set `{}` in table `{table}`", name(2))
        }
        (SUBSYSTEM, NEW_RULE) => format!(
            "a new rule in chain `{}` of table `{table}` (message {position} of its transaction)",
            name(2)
        ),
        _ => "the nf_tables transaction as a whole".to_owned(),
    }
}
