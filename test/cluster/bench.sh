# shellcheck shell=bash
# ./arena bench [--small] [--runs N] [NAME...]: measures, on this machine and never in a test.
# bench/run.py does it; here is what it needs to be there.

arena_bench() {
    local python
    packages_install cluster build test bench
    python=$(test_python) || exit 1
    # The benches have an API server of their own, and reference sides in Go.
    gobin_build etcd
    gobin_build kube-apiserver
    ARENA_GO=$(go_command) || exit 1
    export ARENA_GO ARENA_CACHE ARENA_NETNS REGISTRY
    PYTHON=$python sh "$ARENA_ROOT/executor/gen.sh" || die "could not make the executor's protocol"
    exec "$python" "$ARENA_ROOT/bench/run.py" "$@"
}
