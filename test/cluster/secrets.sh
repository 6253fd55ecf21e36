# shellcheck shell=bash
# What is secret in the embedded cluster: made once, kept in the state folder, never in the tree.

secrets_up() {
    local jwt database executor
    jwt=$(secret_value front-jwt) || exit 1
    database=$(secret_value front-database) || exit 1
    executor=$(secret_value executor) || exit 1
    # Server-side: a client would keep a copy of it all in an annotation.
    {
        secret_manifest postgres "password=$database"
        secret_manifest executor "EXECUTOR_TOKEN=$executor"
        secret_manifest api-server "JWT_SECRET=$jwt" \
            "DATABASE_URL=postgresql://arena:$database@postgres.rl-arena-system.svc:5432/arena"
    } | kubectl_admin apply --server-side --force-conflicts -f - >"$ARENA_LOG/deploy-secrets.log" 2>&1 ||
        die "could not apply the secrets; see $ARENA_LOG/deploy-secrets.log"
}

# secret_value NAME: 256 random bits in hexadecimal digits, the same at every call.
secret_value() {
    local file=$ARENA_STATE/secrets/$1
    if [ ! -s "$file" ]; then
        (
            umask 077
            mkdir -p "$ARENA_STATE/secrets"
            openssl rand -hex 32 >"$file.part"
        ) || die "could not make the secret $file"
        mv "$file.part" "$file"
    fi
    cat "$file"
}

# secret_manifest NAME KEY=VALUE...
secret_manifest() {
    local name=$1 pair
    shift
    printf -- '---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  namespace: rl-arena-system\nstringData:\n' "$name"
    for pair in "$@"; do
        printf '  %s: "%s"\n' "${pair%%=*}" "${pair#*=}"
    done
}
