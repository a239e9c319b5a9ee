#!/usr/bin/env bash
# Every check, in order; the first that fails ends the run with its exit code.
#
#   ci/check.sh            all checks
#   ci/check.sh NAME…      only these: format, clippy, docs, dependencies, test,
#                          nextest, run, no-evidence, ordinary-user
#
# A missing tool is built into target/tools, which may be kept between runs.
#
# Tests need a Docker Engine. Where none answers, root on Debian or Ubuntu gets one:
# the package `docker.io`, and `dockerd` started for as long as the checks run. Anybody
# else is told, and the tests of Docker are ignored.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A trial that would be ignored for want of one of these fails instead.
export RINGFENCE_REQUIRE=embedded
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-always}

DENY_VERSION=0.20.2
NEXTEST_VERSION=0.9.151
KIND_VERSION=v0.33.0
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

# How long the Docker Engine may take to answer, in seconds.
DOCKER_PATIENCE=60
docker_process=

# Brings a Docker Engine up where none answers, and requires it of the tests.
docker_engine() {
    if [[ $RINGFENCE_REQUIRE == *docker* ]]; then
        return
    fi
    if engine_answers; then
        echo "a Docker Engine answers"
        RINGFENCE_REQUIRE+=,docker
        return
    fi
    if [[ -n ${DOCKER_HOST:-} ]]; then
        echo "expected a Docker Engine at $DOCKER_HOST, which DOCKER_HOST names; found none" >&2
        exit 1
    fi
    if [[ $EUID -ne 0 ]]; then
        echo "NOT REQUIRED: Docker: no Engine answers, and only root can start one"
        return
    fi
    if ! command -v dockerd >/dev/null; then
        if ! command -v apt-get >/dev/null; then
            echo "NOT REQUIRED: Docker: no Engine answers, and without apt-get none can be installed"
            return
        fi
        echo "installing docker.io"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
            docker.io iptables
    fi
    # The package may have started it; a machine without an init has not.
    if ! engine_answers; then
        mkdir -p "$target"
        dockerd --log-level warn >"$target/dockerd.log" 2>&1 </dev/null &
        docker_process=$!
        trap stop_docker EXIT
    fi
    local deadline=$((SECONDS + DOCKER_PATIENCE))
    until engine_answers; do
        if ((SECONDS >= deadline)) ||
            { [[ -n $docker_process ]] && ! kill -0 "$docker_process" 2>/dev/null; }; then
            echo "expected dockerd to answer within $DOCKER_PATIENCE s; its log ends with:" >&2
            tail -n 20 "$target/dockerd.log" >&2 || true
            exit 1
        fi
        sleep 0.2
    done
    RINGFENCE_REQUIRE+=,docker
}

# Whether there is an Engine that can be used. The client comes in the same package.
engine_answers() { docker version >/dev/null 2>&1; }

# Stops the Engine that this script started.
stop_docker() {
    kill "$docker_process" 2>/dev/null || true
    wait "$docker_process" 2>/dev/null || true
}

# Builds `kind` where there is none and Go can, and requires it of the tests.
kind_program() {
    if [[ $RINGFENCE_REQUIRE == *kind* || $RINGFENCE_REQUIRE != *docker* ]]; then
        return
    fi
    export PATH=$tools/bin:$PATH
    if ! command -v kind >/dev/null; then
        if ! command -v go >/dev/null; then
            echo "NOT REQUIRED: kind: there is none, and no Go to build it with"
            return
        fi
        echo "building kind $KIND_VERSION into target/tools"
        if ! GOBIN=$tools/bin go install "sigs.k8s.io/kind@$KIND_VERSION"; then
            echo "NOT REQUIRED: kind: it could not be built"
            return
        fi
    fi
    RINGFENCE_REQUIRE+=,kind
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
        test)
            docker_engine
            kind_program
            step "cargo test" test_
            ;;
        nextest)
            docker_engine
            kind_program
            step "cargo nextest, a process per test" nextest
            ;;
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
