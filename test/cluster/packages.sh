# shellcheck shell=bash
# Debian packages, installed only when one is missing.

# packages_list GROUP...
packages_list() {
    local group
    for group in "$@"; do
        awk -v g="[$group]" '
            /^\[/ { on = ($1 == g); next }
            on && NF && $1 !~ /^#/ { print $1 }' "$CLUSTER_DIR/packages.txt"
    done | sort -u
}

packages_missing() {
    packages_list "$@" | while read -r name; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
    done
}

packages_install() {
    local missing policy=/usr/sbin/policy-rc.d ours=$'#!/bin/sh\nexit 101'
    mapfile -t missing < <(packages_missing "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    require_root
    command -v apt-get >/dev/null || die "this is not Debian: install these by hand: ${missing[*]}"
    progress "installing ${#missing[@]} Debian packages"
    (
        # The packages' own services (a registry) are not wanted: the cluster
        # starts these programs by itself, in its own network. One that a killed run left is ours too.
        if [ ! -e "$policy" ] || [ "$(cat "$policy")" = "$ours" ]; then
            trap 'rm -f "$policy"' EXIT
            printf '%s\n' "$ours" >"$policy" && chmod 755 "$policy" || die "could not write $policy"
        fi
        run_logged apt-update apt-get -o DPkg::Lock::Timeout=600 update -qq || die "apt-get update failed"
        run_logged apt-install env DEBIAN_FRONTEND=noninteractive \
            apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends "${missing[@]}" ||
            die "apt-get could not install: ${missing[*]}"
    ) || exit 1
}
