# shellcheck shell=bash
# Looking at a cluster that runs.

require_running() {
    require_root
    service_pid kube-apiserver >/dev/null || die "the cluster does not run; start it with: ./arena up"
}

arena_status() {
    local name pid
    if [ -z "$(service_names)" ]; then
        echo "The cluster does not run; start it with: ./arena up"
        return
    fi
    for name in $(service_names); do
        if pid=$(service_pid "$name"); then
            printf '%-24s running, pid %s\n' "$name" "$pid"
        else
            printf '%-24s DEAD, see %s\n' "$name" "$ARENA_LOG/$name.log"
        fi
    done
    printf 'state %s, cache %s, logs %s\n' "$ARENA_STATE" "$ARENA_CACHE" "$ARENA_LOG"
    if service_pid kube-apiserver >/dev/null; then
        kubectl_admin get nodes,pods --all-namespaces || true
    fi
    if front_forward_ready; then
        printf 'the front is at %s\n' "$(front_url)"
    fi
}

# A name is one of the cluster's programs, or a Deployment (or its like) of the arena.
arena_logs() {
    local name=${1:-controller}
    [ $# -eq 0 ] || shift
    if [ -e "$ARENA_LOG/$name.log" ]; then
        tail -n 200 "$@" "$ARENA_LOG/$name.log"
    else
        kubectl_admin -n rl-arena-system logs "$(arena_workload "$name")" --all-containers --tail=200 "$@"
    fi
}

# What may never be seen, whatever was killed when; exit code 1 when it is.
arena_check() {
    in_netns env KUBECONFIG="$ARENA_STATE/kubeconfig" ARENA_KUBECTL="$(gobin_path kubectl)" \
        /usr/bin/python3 "$ARENA_ROOT/test/support/invariants.py" "$@"
}
