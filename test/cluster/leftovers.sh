# shellcheck shell=bash
# Ends and removes what a killed cluster leaves behind: container shims, Pods'
# processes, mounts and control groups. Only what lies in this cluster's own
# folders, control groups and socket names is touched.

# Before a start of containerd: the processes and mounts of the one before it are
# ended, so that every start finds the same clean ground. Pods are started again
# by the kubelet.
leftovers_end() {
    service_pid containerd >/dev/null && return
    cluster_processes_end
    mounts_remove
    rm -rf "$CONTAINERD_RUN"
    mkdir -p "$CONTAINERD_RUN"
}

# The shims name our socket in their command line; the containers' processes are
# in our control group.
cluster_process_ids() {
    local file pid
    for file in /proc/[0-9]*/cmdline; do
        pid=${file#/proc/}
        pid=${pid%/cmdline}
        case $(tr '\0' ' ' 2>/dev/null <"$file") in
        *containerd-shim*"-address $CONTAINERD_SOCKET"*) echo "$pid" ;;
        esac
    done
    find /sys/fs/cgroup -path "*/$NODE_CGROUP/*" -name cgroup.procs -exec cat {} + 2>/dev/null
    return 0
}

cluster_processes_end() {
    local tries pids
    for tries in $(seq 50); do
        mapfile -t pids < <(cluster_process_ids | sort -un)
        [ ${#pids[@]} -gt 0 ] || return 0
        if [ "$tries" = 1 ]; then
            kill "${pids[@]}" 2>/dev/null || true
        elif [ $((tries % 10)) = 0 ]; then
            kill -9 "${pids[@]}" 2>/dev/null || true
        fi
        sleep 0.2
    done
    printf 'arena: these processes of the cluster do not end: %s\n' "${pids[*]}" >&2
}

# Mounts of Pods' volumes, root file systems, and named namespaces.
mounts_remove() {
    mounts_remove_below "$ARENA_STATE"
    mounts_remove_below "$ARENA_EPHEMERAL"
}

# The deepest first.
mounts_remove_below() {
    local target
    awk '{ print $2 }' /proc/mounts | sed 's/\\040/ /g' | LC_ALL=C sort -r |
        while read -r target; do
            case $target in
            "$1"/*) umount -l "$target" 2>/dev/null || true ;;
            esac
        done
}

cgroups_remove() {
    local tries
    for tries in 1 2 3 4 5; do
        find /sys/fs/cgroup -depth -type d \( -path "*/$NODE_CGROUP" -o -path "*/$NODE_CGROUP/*" \) \
            -exec rmdir {} + 2>/dev/null
        [ -n "$(find /sys/fs/cgroup -type d -path "*/$NODE_CGROUP" -print -quit 2>/dev/null)" ] || return 0
        sleep 0.3
    done
    return 0
}
