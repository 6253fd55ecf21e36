# shellcheck shell=bash
# Ends the cluster: by recorded pids, then what is left of its containers.

cluster_down() {
    local name
    require_root
    progress "stopping the cluster"
    for name in kubelet kube-proxy kube-scheduler kube-controller-manager; do
        service_stop "$name"
    done
    cluster_processes_end
    service_stop containerd
    for name in $(service_names); do
        service_stop "$name"
    done
    cluster_processes_end
    mounts_remove
    network_down
    cgroups_remove
    rm -rf "$ARENA_EPHEMERAL"
    progress "the cluster is down; its data is kept in $ARENA_STATE"
}

cluster_purge() {
    mounts_remove
    # A mount that could not be removed must not be emptied through its path.
    if grep -q " $ARENA_STATE/" /proc/mounts; then
        die "something is still mounted below $ARENA_STATE; see: grep $ARENA_STATE /proc/mounts"
    fi
    find "$ARENA_STATE" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
    progress "removed $ARENA_STATE; built programs and downloads are kept in $ARENA_CACHE"
}

# What was played and what runs; images, packages and keys stay. Needs a cluster
# that is down.
cluster_forget() {
    local name
    for name in etcd kubelet containerd cni pod-logs replays postgres; do
        rm -rf "${ARENA_STATE:?}/$name"
    done
}
