# shellcheck shell=bash
# The arena in the embedded cluster: images, manifests, and what the examples fetch.

arena_deploy() {
    local name running
    images_up "${IMAGES[@]}"
    trivydb_up
    # The node's side of the volumes (manifests/overlays/embedded).
    install -d -o 10002 -g 10002 -m 0755 "$ARENA_STATE/replays"
    install -d -o 10003 -g 10003 -m 0700 "$ARENA_STATE/postgres"
    progress "deploying manifests/overlays/embedded"
    run_logged deploy-namespaces kubectl_admin apply -f "$ARENA_ROOT/manifests/base/namespaces.yaml" ||
        die "could not apply manifests/base/namespaces.yaml"
    secrets_up
    running=$(kubectl_admin -n rl-arena-system get deployments,statefulsets --output=name) ||
        die "could not list what runs in the namespace rl-arena-system"
    run_logged deploy-arena arena_manifests || die "could not apply manifests/overlays/embedded"
    run_logged deploy-crds kubectl_admin wait --for=condition=Established --timeout=60s \
        crd -l app.kubernetes.io/part-of=rl-arena || die "the API server does not serve the arena's resources"
    run_logged deploy-environments arena_environments || die "could not apply the environments"
    # A new image under the same name does not change a Deployment by itself; one that was made just now has it.
    for name in "${IMAGES_CHANGED[@]}"; do
        case $name in
        controller | executor | api-server | postgres)
            [[ $running == *"/$name"* ]] || continue
            run_logged "restart-$name" kubectl_admin -n rl-arena-system rollout restart "$(arena_workload "$name")" ||
                die "could not restart the $name"
            ;;
        esac
    done
    for name in postgres executor controller api-server; do
        run_logged "rollout-$name" kubectl_admin -n rl-arena-system rollout status "$(arena_workload "$name")" --timeout=180s ||
            die "the $name does not get ready; see: ./arena kubectl -n rl-arena-system describe pods, ./arena logs $name"
    done
    front_forward_up
    wait_for 30 "the front answers" front_ready || die "the front does not answer; see: ./arena logs api-server"
    files_publish
    progress "the arena is deployed; its front is at $(front_url)"
}

# The volumes lie in this cluster's own state folder.
arena_manifests() {
    kubectl_admin kustomize "$ARENA_ROOT/manifests/overlays/embedded" >"$ARENA_STATE/config/arena.part" || return 1
    sed "s#path: /var/lib/rl-arena/#path: $ARENA_STATE/#" "$ARENA_STATE/config/arena.part" >"$ARENA_STATE/config/arena.yaml"
    rm -f "$ARENA_STATE/config/arena.part"
    kubectl_admin apply -f "$ARENA_STATE/config/arena.yaml"
}

# As kubectl calls the Pods' owner.
arena_workload() {
    case $1 in
    postgres) echo statefulset/postgres ;;
    *) echo "deployment/$1" ;;
    esac
}

# Custom resources are served a moment after their definition is Established.
arena_environments() {
    local tries
    for tries in 1 2 3 4 5 6; do
        kubectl_admin apply -k "$ARENA_ROOT/manifests/overlays/embedded/environments" && return
        sleep "$tries"
    done
    return 1
}

# Archives, repositories and ready-made images of examples/sources.
files_publish() {
    local key folder=$ARENA_STATE/files
    key=$(hash_of examples/sources)
    [ "$(cat "$folder/.key" 2>/dev/null)" != "$key" ] || return 0
    run_logged files /usr/bin/python3 "$ARENA_ROOT/examples/sources/prepare.py" "$folder" ||
        die "could not make the examples' archives and repositories"
    example_image tic-tac-toe-ready
    echo "$key" >"$folder/.key"
}

# An image as an agent's author would bring it, built outside the arena.
example_image() {
    local name=$1 target=localhost/examples/$1:v1
    buildah_store_check
    run_logged "image-$name" buildah_here bud --isolation chroot --format oci --layers=false --tls-verify=false \
        --build-arg "RUNTIME_IMAGE=$REGISTRY/rl-arena/agent-runtime:dev" --tag "$target" "$ARENA_ROOT/examples/sources/image" ||
        die "could not build the image of examples/sources/image"
    run_logged "image-$name-push" buildah_here push --tls-verify=false "$target" "docker://$REGISTRY/examples/$name:v1" ||
        die "could not push the image of examples/sources/image"
}

# The images for a cluster of one's own: ./arena images registry.example.org/rl-arena v1
arena_images() {
    local prefix=${1:-} tag=${2:-dev} name flags=()
    [ -n "$prefix" ] || die "usage: ./arena images PREFIX [TAG], e.g. ./arena images registry.example.org/rl-arena v1"
    # A registry without TLS has to be named as one.
    case $prefix in
    http://*)
        prefix=${prefix#http://}
        flags=(--tls-verify=false)
        ;;
    esac
    require_root
    with_lock
    mkdir -p "$ARENA_LOG" "$ARENA_EPHEMERAL"
    packages_install cluster images build
    # Outside the cluster's own network: the registry may be anywhere.
    buildah_here() {
        buildah --root "$ARENA_STATE/images" --runroot "$ARENA_EPHEMERAL/images" --storage-driver overlay "$@"
    }
    for name in controller api-server fetch executor agent-runtime kaniko trivy; do
        image_build "$name" "localhost/rl-arena/$name:dev"
        progress "pushing $prefix/$name:$tag"
        buildah_here push "${flags[@]}" "localhost/rl-arena/$name:dev" "docker://$prefix/$name:$tag" ||
            die "could not push $prefix/$name:$tag; log in with: buildah login ${prefix%%/*}"
    done
    progress "pushed; set the images in an overlay as manifests/overlays/cluster shows"
}
