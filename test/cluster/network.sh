# shellcheck shell=bash
# The network namespace that the whole cluster lives in. Nothing of the host's
# own network is touched, and nothing outside can be reached from inside.
# shellcheck disable=SC2016 # the quoted script is another shell's, with arguments of its own

network_up() {
    modprobe -qa br_netfilter overlay 2>/dev/null || true
    network_namespace
    in_netns bash -c '
        set -e
        address=$1; range=$2
        ip link set lo up
        [ -d /sys/class/net/cni0 ] || ip link show cni0 >/dev/null 2>&1 ||
            ip link add cni0 address 0a:58:0a:4d:00:01 type bridge
        ip address replace "$address/${range#*/}" dev cni0
        ip link set cni0 up
        # The API server refuses to start without a default route, although
        # nothing lies behind this one.
        ip route replace default via "$address" dev cni0
        echo 1 >/proc/sys/net/ipv4/ip_forward
        # Pods reach each other through Services only if bridged packets pass
        # the translation rules on their way back too.
        if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then
            echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
        fi' network "$NODE_ADDRESS" "$POD_RANGE" || die "could not set up the network namespace $ARENA_NETNS"
}

# A killed run or a reboot can leave the name without a namespace behind it.
network_namespace() {
    if [ -e "/run/netns/$ARENA_NETNS" ] && ! in_netns true 2>/dev/null; then
        umount -l "/run/netns/$ARENA_NETNS" 2>/dev/null || true
        rm -f "/run/netns/$ARENA_NETNS"
    fi
    [ -e "/run/netns/$ARENA_NETNS" ] || ip netns add "$ARENA_NETNS"
}

network_down() {
    ip netns delete "$ARENA_NETNS" 2>/dev/null || true
}
