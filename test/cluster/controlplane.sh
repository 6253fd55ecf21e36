# shellcheck shell=bash
# etcd, the API server, the controller manager and the scheduler.

etcd_up() {
    service_start etcd - \
        nsenter --net="/run/netns/$ARENA_NETNS" -- "$(gobin_path etcd)" \
        --name arena --data-dir "$ARENA_STATE/etcd" \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
        --initial-cluster arena=http://127.0.0.1:2380 \
        --auto-compaction-retention 1 --quota-backend-bytes 2147483648 \
        --unsafe-no-fsync
}

# What etcd can do is asked once, when the API server starts: another etcd is a reason to start it again.
apiserver_up() {
    service_start kube-apiserver "$ARENA_PKI/apiserver.crt,$CLUSTER_DIR/go/etcd/go.sum" \
        nsenter --net="/run/netns/$ARENA_NETNS" -- "$(gobin_path kube-apiserver)" \
        --etcd-servers http://127.0.0.1:2379 \
        --bind-address 0.0.0.0 --advertise-address "$NODE_ADDRESS" --secure-port 6443 \
        --service-cluster-ip-range "$SERVICE_RANGE" \
        --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
        --anonymous-auth=true --client-ca-file "$ARENA_PKI/ca.crt" \
        --tls-cert-file "$ARENA_PKI/apiserver.crt" --tls-private-key-file "$ARENA_PKI/apiserver.key" \
        --service-account-issuer https://kubernetes.default.svc.cluster.local \
        --service-account-key-file "$ARENA_PKI/sa.pub" --service-account-signing-key-file "$ARENA_PKI/sa.key" \
        --kubelet-client-certificate "$ARENA_PKI/apiserver-kubelet.crt" \
        --kubelet-client-key "$ARENA_PKI/apiserver-kubelet.key" \
        --kubelet-certificate-authority "$ARENA_PKI/ca.crt" \
        --kubelet-preferred-address-types InternalIP
}

apiserver_ready() {
    [ "$(kubectl_admin get --raw /readyz 2>/dev/null)" = ok ]
}

controllers_up() {
    service_start kube-controller-manager "$ARENA_PKI/ca.crt" \
        nsenter --net="/run/netns/$ARENA_NETNS" -- "$(gobin_path kube-controller-manager)" \
        --kubeconfig "$ARENA_PKI/controller-manager.kubeconfig" \
        --bind-address 127.0.0.1 --leader-elect=false --use-service-account-credentials \
        --service-account-private-key-file "$ARENA_PKI/sa.key" --root-ca-file "$ARENA_PKI/ca.crt" \
        --cluster-cidr "$POD_RANGE" --allocate-node-cidrs=false \
        --node-monitor-grace-period 30s
    service_start kube-scheduler "$ARENA_PKI/ca.crt" \
        nsenter --net="/run/netns/$ARENA_NETNS" -- "$(gobin_path kube-scheduler)" \
        --kubeconfig "$ARENA_PKI/scheduler.kubeconfig" --bind-address 127.0.0.1 --leader-elect=false
}

kubectl_admin() {
    in_netns env KUBECONFIG="$ARENA_STATE/kubeconfig" "$(gobin_path kubectl)" "$@"
}
