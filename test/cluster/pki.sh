# shellcheck shell=bash
# The cluster's certificate authority, certificates and kubeconfig files, made
# once; each file appears whole or not at all.

pki_up() {
    mkdir -p "$ARENA_PKI"
    chmod 700 "$ARENA_PKI"
    if [ ! -s "$ARENA_PKI/ca.crt" ]; then
        # Certificates of an earlier authority would be refused.
        rm -f "$ARENA_PKI"/*
        pki_authority
    fi
    [ -s "$ARENA_PKI/sa.pub" ] || pki_service_account_key
    pki_certificate apiserver /CN=kube-apiserver serverAuth \
        "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:$API_SERVICE_ADDRESS,IP:$NODE_ADDRESS,IP:127.0.0.1"
    pki_certificate kubelet-server "/O=system:nodes/CN=system:node:$NODE_NAME" serverAuth "DNS:$NODE_NAME,IP:$NODE_ADDRESS"
    pki_certificate apiserver-kubelet /O=system:masters/CN=kube-apiserver-kubelet clientAuth
    pki_client admin /O=system:masters/CN=arena-admin
    pki_client controller-manager /CN=system:kube-controller-manager
    pki_client scheduler /CN=system:kube-scheduler
    pki_client proxy /CN=system:kube-proxy
    pki_client kubelet "/O=system:nodes/CN=system:node:$NODE_NAME"
    install -m 600 "$ARENA_PKI/admin.kubeconfig" "$ARENA_STATE/kubeconfig"
}

pki_key() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null
}

pki_authority() {
    pki_key "$ARENA_PKI/ca.key"
    openssl req -x509 -new -key "$ARENA_PKI/ca.key" -days 3650 -subj /CN=rl-arena-ca \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
        -out "$ARENA_PKI/ca.part" 2>/dev/null
    mv "$ARENA_PKI/ca.part" "$ARENA_PKI/ca.crt"
}

pki_service_account_key() {
    openssl genrsa -out "$ARENA_PKI/sa.key" 2048 2>/dev/null
    openssl rsa -in "$ARENA_PKI/sa.key" -pubout -out "$ARENA_PKI/sa.part" 2>/dev/null
    mv "$ARENA_PKI/sa.part" "$ARENA_PKI/sa.pub"
}

# pki_certificate NAME SUBJECT USAGE [ALTERNATIVE NAMES]
pki_certificate() {
    local name=$1 subject=$2 usage=$3 names=${4:-} base=$ARENA_PKI/$1
    [ ! -s "$base.crt" ] || return 0
    pki_key "$base.key"
    {
        echo "keyUsage=critical,digitalSignature"
        echo "extendedKeyUsage=$usage"
        [ -z "$names" ] || echo "subjectAltName=$names"
    } >"$base.ext"
    openssl req -new -key "$base.key" -subj "$subject" -out "$base.csr" 2>/dev/null
    openssl x509 -req -in "$base.csr" -CA "$ARENA_PKI/ca.crt" -CAkey "$ARENA_PKI/ca.key" \
        -set_serial "0x$(openssl rand -hex 8)" -days 3650 -extfile "$base.ext" -out "$base.part" 2>/dev/null ||
        die "could not make the certificate $name"
    mv "$base.part" "$base.crt"
    rm -f "$base.csr" "$base.ext"
}

pki_client() {
    local name=$1 subject=$2 base=$ARENA_PKI/$1
    pki_certificate "$name" "$subject" clientAuth
    [ ! -s "$base.kubeconfig" ] || return 0
    cat >"$base.part" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: rl-arena
  cluster:
    server: https://$NODE_ADDRESS:6443
    certificate-authority-data: $(base64 -w0 "$ARENA_PKI/ca.crt")
users:
- name: $name
  user:
    client-certificate-data: $(base64 -w0 "$base.crt")
    client-key-data: $(base64 -w0 "$base.key")
contexts:
- name: rl-arena
  context: {cluster: rl-arena, user: $name, namespace: rl-arena}
current-context: rl-arena
YAML
    mv "$base.part" "$base.kubeconfig"
}
