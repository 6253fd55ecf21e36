# shellcheck shell=bash
# Brings the cluster up. Every step may have been done already, or half done by
# a run that was killed; what runs with the right configuration is left alone.

cluster_up() {
    local started
    started=$(date +%s)
    require_root
    packages_install cluster
    gobin_build_cluster
    mkdir -p "$ARENA_STATE" "$ARENA_RUN" "$ARENA_LOG"
    pki_up
    network_up
    node_configure
    node_cgroup
    leftovers_end
    etcd_up
    containerd_up
    stores_up
    apiserver_up
    controllers_up
    wait_for 60 "containerd answers" containerd_ready || service_check containerd
    pause_image
    kubelet_up
    wait_for 90 "the API server is ready" apiserver_ready || {
        service_check etcd kube-apiserver
        die "the API server does not get ready; its log is $ARENA_LOG/kube-apiserver.log"
    }
    images_up coredns
    addons_apply
    wait_for 120 "the node is Ready" node_ready || {
        service_check containerd kubelet
        die "the node does not get Ready; its log is $ARENA_LOG/kubelet.log"
    }
    run_logged rollout-coredns kubectl_admin -n kube-system rollout status deployment/coredns --timeout=120s ||
        die "the name server does not get ready; see: ./arena kubectl -n kube-system describe pods"
    service_check etcd kube-apiserver kube-controller-manager kube-scheduler containerd kubelet kube-proxy registry fileserver
    progress "the cluster is up ($(($(date +%s) - started)) s)"
}

gobin_build_cluster() {
    local name
    for name in etcd kube-apiserver kubectl kube-controller-manager kube-scheduler kubelet kube-proxy; do
        gobin_build "$name"
    done
}

addons_apply() {
    run_logged addons kubectl_admin apply -f "$CLUSTER_DIR/addons" ||
        die "could not apply test/cluster/addons"
}
