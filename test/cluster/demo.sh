# shellcheck shell=bash
# ./arena demo: from nothing to a leaderboard.

demo() {
    local limit=${1:-1500}
    progress "RL Arena demo: a Kubernetes cluster, real builds, scans and matches on this machine"
    progress "from nothing this takes up to 30 minutes on 2 cores, later runs about a minute"
    cluster_up
    arena_deploy
    progress "applying examples/"
    run_logged deploy-examples kubectl_admin apply --server-side --force-conflicts -k "$ARENA_ROOT/examples" ||
        die "could not apply examples/"
    in_netns env KUBECONFIG="$ARENA_STATE/kubeconfig" ARENA_KUBECTL="$(gobin_path kubectl)" \
        /usr/bin/python3 "$CLUSTER_DIR/watch.py" --examples "$ARENA_ROOT/examples" --limit "$limit"
}

# A replay comes through the API server's proxy to the executor's web server.
arena_replay() {
    local match=${1:-} url target
    [ -n "$match" ] || die "usage: ./arena replay MATCH (names: ./arena kubectl -n rl-arena get matches)"
    url=$(kubectl_admin -n rl-arena get match "$match" -o 'jsonpath={.status.replay.htmlUrl}') || exit 1
    [ -n "$url" ] || die "the match $match has no replay (yet); see: ./arena kubectl -n rl-arena describe match $match"
    target=$PWD/replay-$match.html
    kubectl_admin get --raw "/api/v1/namespaces/rl-arena-system/services/executor:http/proxy/replays/${url##*/}" >"$target.part" || {
        rm -f "$target.part"
        die "the executor does not have the replay any more: $url"
    }
    mv "$target.part" "$target"
    echo "$target"
}
