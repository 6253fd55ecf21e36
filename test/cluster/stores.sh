# shellcheck shell=bash
# What the Pods fetch from: the image registry, the index of Python wheels and
# the server of the examples' archives and git repositories.

stores_up() {
    registry_up
    wheels_up
    files_up
    # What this program serves from is read at every request, so only a change of
    # the program itself is a reason to start it again.
    service_start fileserver "$CLUSTER_DIR/fileserver.py" \
        nsenter --net="/run/netns/$ARENA_NETNS" -- /usr/bin/python3 "$ARENA_STATE/config/fileserver.py" \
        --address "$NODE_ADDRESS" --index-port 8081 --wheels "$ARENA_STATE/wheels" \
        --files-port 8082 --files "$ARENA_STATE/files"
}

registry_up() {
    mkdir -p "$ARENA_STATE/registry"
    cat >"$ARENA_STATE/config/registry.yml" <<YAML
version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: $ARENA_STATE/registry}
  delete: {enabled: true}
  cache: {blobdescriptor: inmemory}
  maintenance: {uploadpurging: {enabled: true, age: 24h, interval: 24h, dryrun: false}}
http:
  addr: $REGISTRY
YAML
    service_start registry "$ARENA_STATE/config/registry.yml" \
        nsenter --net="/run/netns/$ARENA_NETNS" -- docker-registry serve "$ARENA_STATE/config/registry.yml"
}

registry_ready() {
    in_netns curl -fsS --max-time 2 "http://$REGISTRY/v2/"
}

# The packages that the sample agents' requirements.txt name; downloaded once on
# the host, as the Pods have no way out.
wheels_up() {
    local key wheel folder=$ARENA_STATE/wheels
    install -m 644 "$CLUSTER_DIR/fileserver.py" "$ARENA_STATE/config/fileserver.py"
    key=$(hash_of test/cluster/wheels.txt)
    [ "$(cat "$folder/.key" 2>/dev/null)" != "$key" ] || return 0
    rm -rf "$folder.part"
    mkdir -p "$folder.part"
    # One at a time: the list may hold two versions of a package.
    grep -v '^#' "$CLUSTER_DIR/wheels.txt" | while read -r wheel; do
        run_logged wheels python_venv_run base pip download --disable-pip-version-check --no-deps \
            --only-binary :all: --dest "$folder.part" "$wheel" || exit 1
    done || die "could not download the wheels of test/cluster/wheels.txt"
    echo "$key" >"$folder.part/.key"
    rm -rf "$folder"
    mv "$folder.part" "$folder"
}

# Archives and repositories of the examples; files_publish fills the folder.
files_up() {
    mkdir -p "$ARENA_STATE/files"
}
