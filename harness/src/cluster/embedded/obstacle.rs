//! Why a machine cannot carry an embedded cluster, and what to do about it.

use std::fs;
use std::io;

use nix::errno::Errno;

use super::netlink::NetlinkError;

/// What the kernel was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A user namespace of the run's own.
    UserNamespace,
    /// The mapping of the user's own id to root in it.
    IdMap,
    /// A network namespace.
    NetworkNamespace,
    /// A veth pair.
    Links,
    /// nf_tables.
    Filter,
}

impl Part {
    const fn as_str(self) -> &'static str {
        match self {
            Self::UserNamespace => "a user namespace",
            Self::IdMap => "root's rights in a user namespace of the run's own",
            Self::NetworkNamespace => "a network namespace",
            Self::Links => "a veth pair",
            Self::Filter => "an nf_tables ruleset",
        }
    }

    /// What was expected and what was found.
    pub(super) fn not_given(self, errno: Errno) -> String {
        format!("expected {} from this machine, found `{errno}`", self.as_str())
    }
}

/// The settings of a machine that can stand in the way. `None`: there is no such setting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// `user.max_user_namespaces`.
    pub(super) max_user_namespaces: Option<u64>,
    /// `user.max_net_namespaces`.
    pub(super) max_net_namespaces: Option<u64>,
    /// `kernel.unprivileged_userns_clone` (Debian and derivatives).
    pub(super) unprivileged_userns_clone: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns` (Ubuntu 23.10 and later).
    pub(super) apparmor_restrict_unprivileged_userns: Option<u64>,
    /// `Seccomp` of `/proc/self/status`: 2 where a filter is in force, as in containers.
    pub(super) seccomp: Option<u64>,
}

impl Settings {
    /// What the machine says. The limits are those of the user namespace that the
    /// process is in: read them before making one.
    pub(super) fn read() -> Self {
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let seccomp = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
        Self {
            max_user_namespaces: number("/proc/sys/user/max_user_namespaces"),
            max_net_namespaces: number("/proc/sys/user/max_net_namespaces"),
            unprivileged_userns_clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restrict_unprivileged_userns: number(
                "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            ),
            seccomp: seccomp.and_then(|mode| mode.trim().parse().ok()),
        }
    }

    /// What forbids a part, as far as the settings and the error tell, and what to do.
    pub(super) fn remedy(&self, part: Part, errno: Errno) -> String {
        let limit = |name: &str, value: Option<u64>| {
            let value = value.map_or("unknown".to_owned(), |value| value.to_string());
            format!(
                "the limit `{name}` is reached (it is {value}): raise it with `sysctl -w {name}=10000`"
            )
        };
        match (part, errno) {
            (Part::UserNamespace, Errno::ENOSPC | Errno::EUSERS) => {
                limit("user.max_user_namespaces", self.max_user_namespaces)
            }
            (Part::NetworkNamespace, Errno::ENOSPC) => {
                limit("user.max_net_namespaces", self.max_net_namespaces)
            }
            (Part::UserNamespace, Errno::EPERM) if self.unprivileged_userns_clone == Some(0) => {
                "`kernel.unprivileged_userns_clone` is 0: allow it with \
                 `sysctl -w kernel.unprivileged_userns_clone=1`"
                    .to_owned()
            }
            (
                Part::UserNamespace | Part::IdMap | Part::NetworkNamespace | Part::Links,
                Errno::EPERM | Errno::EACCES,
            ) if self.apparmor_restrict_unprivileged_userns == Some(1) => {
                "`kernel.apparmor_restrict_unprivileged_userns` is 1: allow it with \
                 `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or give the program \
                 an AppArmor profile with `userns,`"
                    .to_owned()
            }
            (
                Part::UserNamespace | Part::NetworkNamespace,
                Errno::EPERM | Errno::ENOSYS | Errno::EACCES,
            ) if self.seccomp == Some(2) => "a seccomp filter is in force, as in a container: \
                 start it with `docker run --security-opt seccomp=unconfined` (or \
                 `--cap-add SYS_ADMIN`)"
                .to_owned(),
            (Part::UserNamespace, Errno::EINVAL | Errno::ENOSYS) => {
                "the kernel has no user namespaces: it needs `CONFIG_USER_NS=y`".to_owned()
            }
            (Part::NetworkNamespace, Errno::EINVAL | Errno::ENOSYS) => {
                "the kernel has no network namespaces: it needs `CONFIG_NET_NS=y`".to_owned()
            }
            (Part::Links, Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT) => {
                "the kernel has no veth links: `modprobe veth`, or `CONFIG_VETH`".to_owned()
            }
            (
                Part::Filter,
                Errno::EPROTONOSUPPORT | Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ENOENT,
            ) => "the kernel has no nf_tables, or lacks an expression: `modprobe nf_tables \
                 nft_ct nft_log nfnetlink_log`, or `CONFIG_NF_TABLES_INET` and \
                 `CONFIG_NFT_{CT,LOG,REJECT_INET}`"
                .to_owned(),
            (_, Errno::EMFILE | Errno::ENFILE) => "the limit of open files is reached: raise the \
                 hard limit, for example with `ulimit -Hn 20000`"
                .to_owned(),
            _ => "no known setting forbids it, but a security module or a container's policy may; \
                 `ringfence doctor` shows every prerequisite"
                .to_owned(),
        }
    }
}

/// The machine would not give a part that every embedded cluster needs.
#[derive(Debug, thiserror::Error)]
#[error("{}: {remedy}", .part.not_given(*.errno))]
pub(super) struct Obstacle {
    /// What was asked for.
    pub(super) part: Part,
    /// What the kernel said.
    pub(super) errno: Errno,
    /// What forbids it and what to do.
    pub(super) remedy: String,
}

impl Obstacle {
    /// The error of a part: an obstacle where the kernel said why.
    pub(super) fn meet(part: Part, error: io::Error) -> anyhow::Error {
        match error.raw_os_error() {
            Some(errno) => Self::new(part, Errno::from_raw(errno)).into(),
            None => error.into(),
        }
    }

    fn new(part: Part, errno: Errno) -> Self {
        Self { part, errno, remedy: settings().remedy(part, errno) }
    }

    /// The outcome of making links; an obstacle where the kernel cannot make any.
    pub(super) fn links(outcome: Result<(), NetlinkError>) -> anyhow::Result<()> {
        Self::netlink(Part::Links, outcome)
    }

    /// The outcome of a netlink request for a part; an obstacle where it is missing or forbidden.
    pub(super) fn netlink<T>(part: Part, outcome: Result<T, NetlinkError>) -> anyhow::Result<T> {
        outcome.map_err(|error| {
            let errno = match &error {
                NetlinkError::Refused { errno, .. } | NetlinkError::RefusedObject { errno, .. } => {
                    Some(*errno)
                }
                NetlinkError::Io(error) => error.raw_os_error().map(Errno::from_raw),
            };
            match errno {
                Some(
                    errno @ (Errno::EPERM
                    | Errno::EACCES
                    | Errno::EOPNOTSUPP
                    | Errno::EPROTONOSUPPORT
                    | Errno::EAFNOSUPPORT),
                ) => anyhow::Error::new(Self::new(part, errno)).context(error.to_string()),
                _ => error.into(),
            }
        })
    }
}

static SETTINGS: std::sync::OnceLock<Settings> = std::sync::OnceLock::new();

/// The machine's settings, as they were when this was first called.
pub(super) fn settings() -> &'static Settings {
    SETTINGS.get_or_init(Settings::read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_in_the_way_is_named() {
        let none = Settings::default();
        let cases = [
            (
                Settings { max_user_namespaces: Some(0), ..none },
                Part::UserNamespace,
                Errno::ENOSPC,
                "sysctl -w user.max_user_namespaces=10000",
            ),
            (
                Settings { max_net_namespaces: Some(3), ..none },
                Part::NetworkNamespace,
                Errno::ENOSPC,
                "(it is 3): raise it with `sysctl -w user.max_net_namespaces",
            ),
            (
                Settings { unprivileged_userns_clone: Some(0), seccomp: Some(2), ..none },
                Part::UserNamespace,
                Errno::EPERM,
                "sysctl -w kernel.unprivileged_userns_clone=1",
            ),
            (
                Settings { apparmor_restrict_unprivileged_userns: Some(1), ..none },
                Part::NetworkNamespace,
                Errno::EPERM,
                "kernel.apparmor_restrict_unprivileged_userns=0",
            ),
            (
                Settings {
                    apparmor_restrict_unprivileged_userns: Some(0),
                    seccomp: Some(2),
                    ..none
                },
                Part::UserNamespace,
                Errno::EPERM,
                "--security-opt seccomp=unconfined",
            ),
            (none, Part::UserNamespace, Errno::EINVAL, "CONFIG_USER_NS"),
            (none, Part::Links, Errno::EOPNOTSUPP, "modprobe veth"),
            (none, Part::Filter, Errno::EPROTONOSUPPORT, "modprobe nf_tables"),
            (none, Part::NetworkNamespace, Errno::EMFILE, "ulimit -Hn"),
            (none, Part::UserNamespace, Errno::EPERM, "ringfence doctor"),
        ];
        for (settings, part, errno, expected) in cases {
            let remedy = settings.remedy(part, errno);
            assert!(remedy.contains(expected), "{part:?} {errno}: {remedy}");
        }
    }

    #[test]
    fn an_obstacle_says_what_was_asked_and_found() {
        let error = Obstacle::meet(Part::UserNamespace, io::Error::from(Errno::ENOSPC)).to_string();
        assert!(error.starts_with("expected a user namespace from this machine, found `ENOSPC"));
    }
}
