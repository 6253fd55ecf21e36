# shellcheck shell=bash
# What every part of ./arena shares: paths, progress lines, errors and locks.
# shellcheck disable=SC2034 # used by the other files that ./arena reads

# A second cluster can run beside the first under another name.
ARENA_NAME=${ARENA_NAME:-rl-arena}
ARENA_STATE=${ARENA_STATE:-/var/lib/$ARENA_NAME}
ARENA_CACHE=${ARENA_CACHE:-/var/cache/rl-arena}
ARENA_LOG=$ARENA_STATE/log
ARENA_RUN=$ARENA_STATE/run
ARENA_PKI=$ARENA_STATE/pki
ARENA_NETNS=$ARENA_NAME
ARENA_EPHEMERAL=/run/$ARENA_NAME
CLUSTER_DIR=$ARENA_ROOT/test/cluster

NODE_ADDRESS=10.77.0.1
POD_RANGE=10.77.0.0/16
SERVICE_RANGE=10.96.0.0/16
API_SERVICE_ADDRESS=10.96.0.1
DNS_ADDRESS=10.96.0.10
REGISTRY=$NODE_ADDRESS:5000
WHEEL_INDEX=http://$NODE_ADDRESS:8081/simple/
FILE_SERVER=http://$NODE_ADDRESS:8082
NODE_NAME=arena-node

# Programs started here write below $HOME (Go's caches); a service manager or a
# CI may leave it unset.
export HOME=${HOME:-/root}
# Everything that is served to the Pods is read by other users than root.
umask 022

ARENA_START=${ARENA_START:-$(date +%s)}
export ARENA_START

progress() {
    local elapsed=$(($(date +%s) - ARENA_START))
    printf '[%s +%dm%02ds] %s\n' "$(date +%H:%M:%S)" $((elapsed / 60)) $((elapsed % 60)) "$*" >&2
}

die() {
    printf 'arena: %s\n' "$*" >&2
    exit 1
}

# run_logged NAME COMMAND...: keeps a command's output out of the way, and shows
# its end only when it fails. Every half minute a line says that it is still at it.
run_logged() {
    local name=$1 log beat code=0
    shift
    mkdir -p "$ARENA_LOG"
    log=$ARENA_LOG/$name.log
    exec {beat}> >(heartbeat "$name" "$log")
    "$@" >"$log" 2>&1 </dev/null {beat}>&- || code=$?
    exec {beat}>&-
    [ "$code" = 0 ] || {
        printf -- '--- the last lines of %s:\n' "$log" >&2
        tail -n 30 "$log" >&2
        return 1
    }
}

# Ends as soon as its standard input is closed.
heartbeat() {
    local name=$1 log=$2 began=$SECONDS code last
    while true; do
        code=0
        read -r -t 30 || code=$?
        [ "$code" -gt 128 ] || return 0
        last=$(tail -c 400 "$log" 2>/dev/null | tail -n 1 | tr -d '\r' | cut -c 1-80)
        progress "  $name: $((SECONDS - began)) s${last:+, at: $last}"
    done
}

# wait_for SECONDS WHAT COMMAND...: polls until the command succeeds.
wait_for() {
    local limit=$1 what=$2 end
    shift 2
    end=$(($(date +%s) + limit))
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$end" ] || {
            printf 'arena: gave up after %s s waiting until %s\n' "$limit" "$what" >&2
            return 1
        }
        sleep 0.3
    done
}

# hash_of PATH...: one hash over the names and contents of files and folders,
# independent of where the tree lies, of times and of owners.
hash_of() {
    (
        cd "$ARENA_ROOT" || exit 1
        find "$@" -type f -not -path '*/__pycache__/*' -not -path '*/.*_cache/*' \
            -not -path '*.egg-info/*' -print0 |
            LC_ALL=C sort -z | xargs -0 -r sha256sum | sha256sum | cut -c1-12
    )
}

require_root() {
    [ "$(id -u)" = 0 ] || die "needs root: it makes a network namespace, mounts and cgroups; run it as root"
}

# Bring-up, images and clean-up change the same state; one at a time.
with_lock() {
    mkdir -p "$ARENA_STATE"
    exec 9>"$ARENA_STATE/lock"
    flock -n 9 || {
        progress "another ./arena is at work here; waiting for it to finish"
        flock -w 2400 9 || die "the other ./arena did not finish in 40 minutes (see: fuser -v $ARENA_STATE/lock)"
    }
}

in_netns() {
    nsenter --net="/run/netns/$ARENA_NETNS" -- "$@"
}
