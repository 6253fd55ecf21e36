# shellcheck shell=bash
# The root file system of the base image: Debian 12 with Python, put together
# from the package archive that this machine itself installs from.
# shellcheck disable=SC2016 # the quoted texts are for mmdebstrap and apt to expand

BASE_SUITE=bookworm
BASE_PACKAGES=ca-certificates,python3,python3-pip,usr-is-merged

base_key() {
    hash_of test/cluster/base.sh
}

base_rootfs() {
    local folder
    folder=$ARENA_CACHE/base-$(base_key)
    if [ ! -s "$folder/rootfs.tar" ]; then
        progress "making the base image's file system (about a minute)"
        rm -rf "$folder"
        mkdir -p "$folder"
        base_sources >"$folder/sources.list"
        run_logged base mmdebstrap --mode=root --format=tar --variant=minbase --include="$BASE_PACKAGES" \
            --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
            --aptopt='APT::Install-Recommends "false"' \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
            --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
            --dpkgopt='path-exclude=/usr/share/lintian/*' \
            --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/* "$1"/var/log/* "$1"/etc/apt/sources.list.d/*' \
            --customize-hook='rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED "$1"/etc/hostname && rm -rf "$1"/usr/lib/python3*/test' \
            --customize-hook='ln -sf python3 "$1"/usr/bin/python' \
            "$BASE_SUITE" "$folder/rootfs.part" "$folder/sources.list" || die "could not make the base image's file system"
        mv "$folder/rootfs.part" "$folder/rootfs.tar"
    fi
    printf '%s' "$folder/rootfs.tar"
}

# One line for each archive that this machine uses for the suite; security
# updates included. A machine that runs another suite uses the same hosts.
base_sources() {
    local found
    found=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
        awk -v suite="$BASE_SUITE" '($2 == suite || $2 ~ "^" suite "-") && $3 == "main" {
            print "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] " $1 " " $2 " main" }' | sort -u)
    [ -n "$found" ] || die "no Debian archive of $BASE_SUITE is configured in this machine's apt sources"
    printf '%s\n' "$found"
}
