# shellcheck shell=bash
# The images of the arena and of the programs it runs: built only when their
# inputs changed, pushed to the cluster's registry as NAME:dev.

# What takes longest to build comes last: it may be under way beside the others (gobin_build_all).
# shellcheck disable=SC2034 # for deploy.sh
IMAGES=(agent-runtime fetch controller executor api-server postgres kaniko trivy)
IMAGE_BASE=localhost/rl-arena/base

# The inputs of an image, as one hash. It does not depend on the tree's path.
image_key() {
    local name=$1 inputs=("manifests/images/$1.Dockerfile")
    {
        case $name in
        agent-runtime | executor)
            mapfile -t -O "${#inputs[@]}" inputs < <(executor_inputs)
            base_key
            ;;
        controller | fetch)
            inputs+=(test/cluster/closure.sh meson.build meson_options.txt lib proto "$name")
            sanitizer_key
            ;;
        api-server)
            inputs+=(test/cluster/closure.sh meson.build meson_options.txt lib proto migrations "$name")
            sanitizer_key
            ;;
        postgres)
            inputs+=(test/cluster/debs.sh manifests/images/postgres.sh)
            base_key
            ;;
        *)
            inputs+=(test/cluster/closure.sh)
            gobin_key "$name"
            ;;
        esac
        hash_of "${inputs[@]}"
    } | sha256sum | cut -c1-16
}

# Tests and notes do not go into the images.
executor_inputs() {
    (cd "$ARENA_ROOT" && find executor proto -type f \( -path 'executor/rl_arena/*' -o -path 'executor/bin/*' \
        -o -name '*.sh' -o -name 'requirements-*.txt' -o -name '*.proto' \) \
        ! -path '*/__pycache__/*' ! -name '*_pb2*' ! -name 'requirements-dev.txt' | LC_ALL=C sort)
}

buildah_here() {
    in_netns buildah --root "$ARENA_STATE/images" --runroot "$ARENA_EPHEMERAL/images" --storage-driver overlay "$@"
}

# An interrupted run can leave a store that buildah itself can not repair.
buildah_store_check() {
    buildah_here images -q >/dev/null 2>&1 && return
    progress "the image store is damaged; starting a new one"
    mounts_remove_below "$ARENA_STATE/images"
    rm -rf "$ARENA_STATE/images" "$ARENA_EPHEMERAL/images"
    buildah_here images -q >/dev/null || die "buildah does not work here; see: buildah --root $ARENA_STATE/images images"
}

image_pushed() {
    in_netns curl -fsS -o /dev/null --head --max-time 5 -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
        "http://$REGISTRY/v2/rl-arena/$1/manifests/$2" 2>/dev/null
}

images_up() {
    local name key built=()
    wait_for 30 "the registry answers" registry_ready || service_check registry
    for name in "$@"; do
        key=$(image_key "$name")
        if image_pushed "$name" "inputs-$key"; then
            [ "$(cat "$ARENA_STATE/image-keys/$name" 2>/dev/null)" != "$key" ] || continue
        else
            image_build "$name" "localhost/rl-arena/$name:dev"
            run_logged "image-$name-push" buildah_here push --tls-verify=false \
                "localhost/rl-arena/$name:dev" "docker://$REGISTRY/rl-arena/$name:inputs-$key" || die "could not push the image $name"
        fi
        image_tag "$name" "inputs-$key" dev
        # The node keeps what it once pulled under a name; the next Pod has to ask again.
        node_ctr images remove "$REGISTRY/rl-arena/$name:dev" >/dev/null 2>&1 || true
        mkdir -p "$ARENA_STATE/image-keys"
        echo "$key" >"$ARENA_STATE/image-keys/$name"
        built+=("$name")
    done
    IMAGES_CHANGED=("${IMAGES_CHANGED[@]}" "${built[@]}")
}
IMAGES_CHANGED=()

# Gives a pushed manifest another name.
image_tag() {
    local name=$1 from=$2 to=$3 type=application/vnd.oci.image.manifest.v1+json address
    address=http://$REGISTRY/v2/rl-arena/$name/manifests
    in_netns curl -fsS --max-time 10 -H "Accept: $type" "$address/$from" |
        in_netns curl -fsS --max-time 10 -o /dev/null -X PUT -H "Content-Type: $type" --data-binary @- "$address/$to" ||
        die "could not tag the image $name in the registry"
}

# image_build NAME TARGET: lays out the build context and builds.
image_build() {
    local name=$1 target=$2 context=$ARENA_STATE/build/$1 started rootfs wheels debs arguments=()
    started=$(date +%s)
    packages_install images build
    buildah_store_check
    rm -rf "$context"
    mkdir -p "$context"
    case $name in
    base)
        rootfs=$(base_rootfs) || exit 1
        ln "$rootfs" "$context/rootfs.tar" 2>/dev/null || cp "$rootfs" "$context/rootfs.tar"
        ;;
    agent-runtime | executor)
        image_base
        wheels=$(image_wheels "$name") || exit 1
        (cd "$ARENA_ROOT" && executor_inputs | tar -cf - -T -) | tar -C "$context" -xf -
        arguments=(--build-arg "BASE=$IMAGE_BASE:$(base_key)" --build-arg PIP_NO_INDEX=1
            --build-arg PIP_FIND_LINKS=/wheels --volume "$wheels:/wheels:ro")
        ;;
    controller | fetch | api-server)
        program_build "$name"
        closure_layout "$PROGRAM_BUILD/$name/$name" "$context/root"
        [ "$name" != api-server ] || closure_websockets "$context/root"
        ! sanitizer_wanted || arguments=("${SANITIZER_OPTIONS[@]/#/--env=}")
        ;;
    postgres)
        image_base
        debs=$(image_debs postgres "${POSTGRES_PACKAGES[@]}") || exit 1
        cp "$ARENA_ROOT/manifests/images/postgres.sh" "$context"
        arguments=(--build-arg "BASE=$IMAGE_BASE:$(base_key)" --volume "$debs:/debs:ro")
        ;;
    kaniko)
        gobin_build kaniko
        closure_kaniko "$(gobin_path kaniko)" "$context/root"
        ;;
    trivy | coredns)
        gobin_build "$name"
        closure_static "$(gobin_path "$name")" "$context/root" "/usr/local/bin/$name"
        ;;
    *) die "no such image: $name" ;;
    esac
    progress "building the image $name"
    run_logged "image-$name" buildah_here bud --isolation chroot --format oci --pull-never --layers=false \
        "${arguments[@]}" --tag "$target" --file "$ARENA_ROOT/manifests/images/$name.Dockerfile" "$context" ||
        die "could not build the image $name"
    rm -rf "$context"
    progress "built the image $name in $(($(date +%s) - started)) s"
}

image_base() {
    local target
    target=$IMAGE_BASE:$(base_key)
    buildah_here inspect --type image "$target" >/dev/null 2>&1 || image_build base "$target"
}

# The wheels of an image's pinned packages, fetched on the host: a build's own
# file system need not know this machine's package index or its certificates.
image_wheels() {
    local files=("$ARENA_ROOT/executor/requirements-build.txt") key folder arguments=() file
    case $1 in
    executor) files+=("$ARENA_ROOT/executor/requirements-executor.txt") ;;
    agent-runtime) files+=("$ARENA_ROOT/executor/requirements-runtime.txt" "$ARENA_ROOT/executor/requirements-agent.txt") ;;
    esac
    key=$(cat "${files[@]}" | sha256sum | cut -c1-12)
    folder=$ARENA_CACHE/wheels-$1-$key
    if [ ! -d "$folder" ]; then
        progress "fetching the Python packages of the image $1"
        rm -rf "$folder.part"
        for file in "${files[@]}"; do
            run_logged "wheels-$1" python_venv_run base pip wheel "${PIP_OPTIONS[@]}" --no-deps \
                --wheel-dir "$folder.part" -r "$file" || die "could not fetch the packages of $file"
        done
        mv "$folder.part" "$folder"
    fi
    printf '%s' "$folder"
}

# The C programs, as released: optimized, without tests. Or as the tests have them with the sanitizers.
PROGRAM_BUILD=$ARENA_ROOT/build/release
program_build() {
    local options=(--buildtype=release -Dtests=false)
    if sanitizer_wanted; then
        packages_install test
        PROGRAM_BUILD=$ARENA_ROOT/build/sanitize
        options=(-Dwerror=true "$SANITIZER_BUILD")
    fi
    progress "compiling $1"
    if [ ! -e "$PROGRAM_BUILD/build.ninja" ]; then
        rm -rf "$PROGRAM_BUILD"
        run_logged meson-setup env CC=gcc meson setup "${options[@]}" "$PROGRAM_BUILD" "$ARENA_ROOT" ||
            die "meson could not configure the C programs"
    fi
    run_logged "compile-$1" nice ninja -C "$PROGRAM_BUILD" "$1/$1" || die "could not compile $1"
}

# The vulnerability database, as the OCI artifact that Trivy downloads.
trivydb_up() {
    local key
    gobin_build trivydb
    key=inputs-$(gobin_key trivydb)
    image_pushed trivy-db "$key" && image_pushed trivy-db 2 && return
    for tag in "$key" 2; do
        run_logged trivydb in_netns "$(gobin_path trivydb)" -out "$ARENA_STATE/build/trivydb" \
            -push "http://$REGISTRY/rl-arena/trivy-db:$tag" || die "could not publish the vulnerability database"
    done
    progress "published the vulnerability database"
}
