# shellcheck shell=bash
# Lays out the file tree of an image that holds one program and what it needs.

# A program built for this machine, with the shared libraries it loads.
closure_layout() {
    local program=$1 root=$2 library
    closure_common "$root"
    install -D -m 755 "$program" "$root/usr/local/bin/$(basename "$program")"
    # A report names lines.
    sanitizer_wanted || strip "$root/usr/local/bin/$(basename "$program")"
    closure_libraries "$program" "$root"
}

closure_libraries() {
    local file=$1 root=$2 library
    ldd "$file" | grep -oE '/[^ ]+' | sort -u | while read -r library; do
        install -D -m 755 "$(readlink -f "$library")" "$root$library"
    done
}

# libwebsockets loads its event loop by name when the program starts, so that ldd does not show it.
closure_websockets() {
    local root=$1 plugin
    plugin=$(dpkg -L libwebsockets-evlib-uv | grep '/libwebsockets-evlib_uv\.so$') || return 1
    install -D -m 644 "$plugin" "$root$plugin"
    closure_libraries "$plugin" "$root"
}

# A statically linked program.
closure_static() {
    local program=$1 root=$2 target=$3
    closure_common "$root"
    install -D -m 755 "$program" "$root$target"
}

# Certificates, users, and what name resolution needs. The C library has its
# resolvers for "files" and "dns" built in.
closure_common() {
    local root=$1
    mkdir -p "$root/etc/ssl/certs" "$root/tmp"
    chmod 1777 "$root/tmp"
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
    printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n' >"$root/etc/passwd"
    printf 'root:x:0:\nnonroot:x:65532:\n' >"$root/etc/group"
}

# Kaniko's own layout: everything that it needs lies below /kaniko. The user
# database belongs to the image that is built, not to the builder.
closure_kaniko() {
    local program=$1 root=$2
    closure_static "$program" "$root" /kaniko/executor
    mkdir -p "$root/kaniko/ssl" "$root/kaniko/.docker" "$root/workspace" "$root/root"
    mv "$root/etc/ssl/certs" "$root/kaniko/ssl/certs"
    rm -rf "$root/etc/ssl" "$root/etc/passwd" "$root/etc/group"
    chmod 777 "$root/kaniko" "$root/workspace"
}
