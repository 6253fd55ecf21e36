# shellcheck shell=bash
# containerd, the kubelet and kube-proxy: the cluster's only node.

CONTAINERD_RUN=$ARENA_EPHEMERAL/containerd
CONTAINERD_SOCKET=$CONTAINERD_RUN/containerd.sock
NODE_CONFIG=$ARENA_STATE/config
PAUSE_IMAGE=rl-arena.local/pause:1
NODE_CGROUP=$ARENA_NAME

node_configure() {
    mkdir -p "$NODE_CONFIG/cni" "$NODE_CONFIG/certs.d/$REGISTRY" "$CONTAINERD_RUN"
    node_containerd_config >"$NODE_CONFIG/containerd.toml"
    cat >"$NODE_CONFIG/certs.d/$REGISTRY/hosts.toml" <<TOML
server = "http://$REGISTRY"
[host."http://$REGISTRY"]
capabilities = ["pull", "resolve"]
TOML
    cat >"$NODE_CONFIG/cni/10-arena.conflist" <<JSON
{"cniVersion": "1.0.0", "name": "arena", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$ARENA_STATE/cni",
            "ranges": [[{"subnet": "$POD_RANGE", "rangeStart": "10.77.1.0", "gateway": "$NODE_ADDRESS"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
    node_kubelet_config >"$NODE_CONFIG/kubelet.yaml"
    node_proxy_config >"$NODE_CONFIG/proxy.yaml"
}

node_containerd_config() {
    cat <<TOML
version = 2
root = "$ARENA_STATE/containerd"
state = "$CONTAINERD_RUN"
# Lowering the OOM score needs a capability that root may lack in a container.
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
address = "$CONTAINERD_SOCKET"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "$PAUSE_IMAGE"
restrict_oom_score_adj = true
disable_apparmor = true
# Beside the rest of this cluster's state, not among other programs' namespaces.
netns_mounts_under_state_dir = true
# Measuring walks through every container's files; at the usual 10 s that costs
# half a core once some dozens of builds have ended.
stats_collect_period = 30
stream_server_address = "127.0.0.1"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
discard_unpacked_layers = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "$NODE_CONFIG/certs.d"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$NODE_CONFIG/cni"
TOML
}

node_kubelet_config() {
    cat <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_ADDRESS
containerRuntimeEndpoint: unix://$CONTAINERD_SOCKET
staticPodPath: ""
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $ARENA_PKI/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $ARENA_PKI/kubelet-server.crt
tlsPrivateKeyFile: $ARENA_PKI/kubelet-server.key
clusterDomain: cluster.local
clusterDNS: [$DNS_ADDRESS]
# The host's own name servers can not be reached from inside the namespace.
resolvConf: $NODE_CONFIG/resolv.conf
# Machines with the older control groups, with swap, or without systemd will do.
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /$NODE_CGROUP
failSwapOn: false
maxPods: 110
serializeImagePulls: false
registryPullQPS: 50
registryBurst: 100
imageGCHighThresholdPercent: 99
imageGCLowThresholdPercent: 98
imageMinimumGCAge: 1h
evictionHard: {memory.available: 200Mi, nodefs.available: 1%, imagefs.available: 1%}
nodeStatusUpdateFrequency: 5s
shutdownGracePeriod: 0s
syncFrequency: 30s
containerLogMaxSize: 10Mi
# Of one's own: a kubelet removes the logs of Pods that it does not know, also those of another arena on this machine.
podLogsDir: $ARENA_STATE/pod-logs
YAML
}

node_proxy_config() {
    cat <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: {kubeconfig: $ARENA_PKI/proxy.kubeconfig}
clusterCIDR: $POD_RANGE
hostnameOverride: $NODE_NAME
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
# The kernel's connection table belongs to the host and stays as it is.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
YAML
}

# The Pods' control groups get a parent of their own, so that all that is left
# of a killed cluster can be found and ended.
node_cgroup() {
    local root=/sys/fs/cgroup hierarchy file
    if [ -e "$root/cgroup.controllers" ]; then
        mkdir -p "$root/$NODE_CGROUP"
        return
    fi
    for hierarchy in "$root"/*/; do
        [ -e "$hierarchy/tasks" ] || continue
        mkdir -p "$hierarchy$NODE_CGROUP" 2>/dev/null || continue
        for file in cpuset.cpus cpuset.mems; do
            # A new cpuset is empty, and nothing can run in it, until filled.
            [ ! -e "$hierarchy$file" ] || cat "$hierarchy$file" >"$hierarchy$NODE_CGROUP/$file"
        done
        # As much as the kubelet asks for its Pods inside of it.
        [ ! -e "$hierarchy/cpu.shares" ] || echo $((1024 * $(nproc))) >"$hierarchy$NODE_CGROUP/cpu.shares"
    done
}

containerd_up() {
    service_start containerd "$NODE_CONFIG/containerd.toml" \
        nsenter --net="/run/netns/$ARENA_NETNS" -- \
        containerd --config "$NODE_CONFIG/containerd.toml"
}

containerd_ready() {
    ctr --address "$CONTAINERD_SOCKET" version
}

node_ctr() {
    ctr --address "$CONTAINERD_SOCKET" -n k8s.io "$@"
}

kubelet_up() {
    : >"$NODE_CONFIG/resolv.conf"
    service_start kubelet "$NODE_CONFIG/kubelet.yaml" \
        nsenter --net="/run/netns/$ARENA_NETNS" -- "$(gobin_path kubelet)" \
        --config "$NODE_CONFIG/kubelet.yaml" --kubeconfig "$ARENA_PKI/kubelet.kubeconfig" \
        --root-dir "$ARENA_STATE/kubelet" --cert-dir "$ARENA_STATE/kubelet/pki" \
        --hostname-override "$NODE_NAME" --node-ip "$NODE_ADDRESS"
    service_start kube-proxy "$NODE_CONFIG/proxy.yaml" \
        nsenter --net="/run/netns/$ARENA_NETNS" -- "$(gobin_path kube-proxy)" --config "$NODE_CONFIG/proxy.yaml"
}

# The kubelet ends at once when containerd still reads its old containers ("server is not initialized yet"):
# then it is started again. What the API server remembers of the node counts only while the kubelet lives.
node_ready() {
    service_pid kubelet >/dev/null || kubelet_up
    in_netns curl -fsS --max-time 2 -o /dev/null http://127.0.0.1:10248/healthz || return 1
    [ "$(kubectl_admin get node "$NODE_NAME" \
        -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null)" = True ]
}

# The pause image, the parent of a Pod's namespaces: one static program.
pause_image() {
    local folder=$ARENA_CACHE/pause layer config
    if [ ! -s "$folder/pause.tar" ]; then
        rm -rf "$folder"
        mkdir -p "$folder/image"
        gcc -Os -static -s -o "$folder/pause" "$CLUSTER_DIR/pause.c" || die "could not compile pause.c"
        tar -C "$folder" --owner=0 --group=0 --mtime=@0 -cf "$folder/image/layer.tar" pause
        layer=$(sha256sum "$folder/image/layer.tar" | cut -d' ' -f1)
        config='{"architecture":"'$(dpkg --print-architecture)'","os":"linux","config":{"Entrypoint":["/pause"],"User":"65535:65535"},"rootfs":{"type":"layers","diff_ids":["sha256:'$layer'"]}}'
        printf '%s' "$config" >"$folder/image/config.json"
        printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$PAUSE_IMAGE" >"$folder/image/manifest.json"
        tar -C "$folder/image" -cf "$folder/pause.part" manifest.json config.json layer.tar
        mv "$folder/pause.part" "$folder/pause.tar"
    fi
    node_ctr images list -q | grep -qxF "$PAUSE_IMAGE" && return
    node_ctr images import "$folder/pause.tar" >/dev/null || die "could not import the pause image"
}
