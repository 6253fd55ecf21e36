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
    arena_watch "$limit"
}

# Twelve agents came as YAML; the thirteenth is dora's, who knows the front only.
arena_watch() {
    local limit=$1 front
    front=$(front_url) || exit 1
    ARENA_PASSWORD=$(secret_value demo-dora) || exit 1
    ARENA_KUBECTL="nsenter --net=/run/netns/$ARENA_NETNS -- $(gobin_path kubectl)"
    export ARENA_PASSWORD ARENA_KUBECTL KUBECONFIG="$ARENA_STATE/kubeconfig"
    # In the place of this process, so that whoever kills that has ended all of it: the lock is free then.
    exec /usr/bin/python3 "$CLUSTER_DIR/watch.py" --examples "$ARENA_ROOT/examples" --limit "$limit" --front "$front" -- \
        /usr/bin/python3 "$ARENA_ROOT/examples/client/client.py" --url "$front" --user dora --agent Returner \
        --environment pong --limit "$limit" --description "Sends the ball back, and waits in the middle." \
        "$ARENA_ROOT/examples/client/agent"
}

# A replay comes from the front, or, where that has not got it, through the API server's proxy from the
# executor's web server.
arena_replay() {
    local match=${1:-} id url target
    match=${match##*/} # as kubectl prints it: match.rl-arena.io/NAME
    [ -n "$match" ] || die "usage: ./arena replay MATCH (names: ./arena kubectl -n rl-arena get matches)"
    url=$(kubectl_admin -n rl-arena get match "$match" -o 'jsonpath={.metadata.uid} {.status.replay.htmlUrl}') || exit 1
    id=${url%% *} url=${url#* }
    [ -n "$url" ] || die "the match $match has no replay (yet); see: ./arena kubectl -n rl-arena describe match $match"
    target=$PWD/replay-$match.html
    case $url in
    http://executor.*) kubectl_admin get --raw "/api/v1/namespaces/rl-arena-system/services/executor:http/proxy/replays/${url##*/}" ;;
    *) curl -fsS --noproxy '*' --max-time 60 "$(front_url)/api/v1/matches/$id/replay?format=html" ;;
    esac >"$target.part" || {
        rm -f "$target.part"
        die "the replay is not there any more: $url"
    }
    mv "$target.part" "$target"
    echo "$target"
}
