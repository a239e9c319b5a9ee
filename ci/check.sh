#!/usr/bin/env bash
# Every check, in order; the first that fails ends the run with its exit code.
#
#   ci/check.sh            all checks
#   ci/check.sh NAME…      only these: format, clippy, docs, dependencies, test,
#                          nextest, run, no-evidence, ordinary-user
#
# A missing tool is built into target/tools, which may be kept between runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A trial that would be ignored for want of the embedded cluster fails instead.
export RINGFENCE_REQUIRE=embedded
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-always}

DENY_VERSION=0.20.2
NEXTEST_VERSION=0.9.151
target=${CARGO_TARGET_DIR:-$PWD/target}
tools=$target/tools

# Builds a cargo tool of a fixed version where it is not there yet. They are
# built without optimisation, which is quicker (cargo-deny 45 s, cargo-nextest
# 135 s on two cores), and they run for a second.
tool() { # crate version
    if [[ "$("$tools/bin/$1" --version 2>/dev/null || true)" == *" $2"* ]]; then
        return
    fi
    echo "building $1 $2 into target/tools"
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$tools/build" \
        cargo install "$1" --version "$2" --locked --debug --force --quiet --root "$tools"
    rm -rf "$tools/build"
}

format() { cargo fmt --all -- --check; }

clippy() { cargo clippy --workspace --all-targets --locked -- -D warnings; }

docs() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked; }

dependencies() {
    tool cargo-deny "$DENY_VERSION"
    "$tools/bin/cargo-deny" --locked --config ci/deny.toml \
        check --hide-inclusion-graph licenses bans sources
}

# The README's test command.
test_() { cargo test --locked; }

# The same tests with a process for each.
nextest() {
    tool cargo-nextest "$NEXTEST_VERSION"
    "$tools/bin/cargo-nextest" nextest run --locked --no-fail-fast
}

# The README's first command.
run() { cargo run --release --locked -- run; }

# The same where a drop is known by silence alone, as on every other cluster.
no_evidence() { cargo run --release --locked -- run --evidence none; }

# The library once more as a user without any rights. Somebody who is not root
# has just seen that in `run`.
ordinary_user() {
    if [[ $EUID -ne 0 ]]; then
        echo "already an ordinary user: \`run\` has shown it"
        return
    fi
    if ! command -v setpriv >/dev/null || ! command -v unshare >/dev/null; then
        echo "SKIPPED: expected \`setpriv\` and \`unshare\` of util-linux, to become an ordinary user with"
        return
    fi
    local as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all)
    if ! "${as_nobody[@]}" unshare --user --map-root-user true; then
        echo "SKIPPED: this machine forbids user namespaces to ordinary users"
        sysctl -e kernel.unprivileged_userns_clone user.max_user_namespaces \
            kernel.apparmor_restrict_unprivileged_userns || true
        return
    fi
    cargo build --release --locked
    # A function's own subshell, so that the folder goes however it ends.
    (
        place=$(mktemp -d)
        trap 'rm -rf "$place"' EXIT
        chmod 755 "$place"
        install -m 755 "$target/release/ringfence" "$place/ringfence"
        cp -r scenarios "$place/scenarios"
        chmod -R a+rX "$place/scenarios"
        cd "$place"
        "${as_nobody[@]}" env -i PATH="$PATH" HOME=/nonexistent ./ringfence run
    )
}

step() { # title function
    local started=$SECONDS code=0
    printf '\n== %s\n' "$1"
    # In a subshell of its own and not in a condition: `set -e` holds inside it.
    set +e
    (set -e; "$2")
    code=$?
    set -e
    if ((code != 0)); then
        printf '== %s: failed with exit code %d after %d s\n' "$1" "$code" $((SECONDS - started))
        exit "$code"
    fi
    printf '== %s: ok, %d s\n' "$1" $((SECONDS - started))
}

one() { # name
    case $1 in
        format) step "format" format ;;
        clippy) step "clippy, warnings denied" clippy ;;
        docs) step "documentation, warnings denied" docs ;;
        dependencies) step "licences, bans and sources of dependencies" dependencies ;;
        test) step "cargo test" test_ ;;
        nextest) step "cargo nextest, a process per test" nextest ;;
        run) step "the scenario library" run ;;
        no-evidence) step "the scenario library on deadlines alone" no_evidence ;;
        ordinary-user) step "the scenario library as an ordinary user" ordinary_user ;;
        *)
            echo "expected the name of a check, found \`$1\`; see the head of ci/check.sh" >&2
            exit 2
            ;;
    esac
}

if (($# == 0)); then
    set -- format clippy docs dependencies test nextest run no-evidence ordinary-user
fi
for name in "$@"; do
    one "$name"
done
printf '\nall checks passed in %d s\n' "$SECONDS"
