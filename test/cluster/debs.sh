# shellcheck shell=bash
# Debian packages for an image, fetched on the host as base.sh does it: a build's own file system need
# not know this machine's package archive or its certificates.

# What PostgreSQL needs beyond the base image. Left out is what only its packages' own scripts use, and
# the compiler for long queries, which is larger than all the rest.
# shellcheck disable=SC2034 # for images.sh
POSTGRES_PACKAGES=(postgresql-15 postgresql-client-15 libpq5 libicu72 libxml2 libxslt1.1 libldap-2.5-0
    libsasl2-2 libsasl2-modules-db libedit2 libbsd0)

# image_debs NAME PACKAGE...: prints the folder with the packages' files.
image_debs() {
    local name=$1 key folder sources options=()
    shift
    key=$({
        base_key
        printf '%s\n' "$@"
    } | sha256sum | cut -c1-12)
    folder=$ARENA_CACHE/debs-$name-$key
    if [ ! -d "$folder" ]; then
        progress "fetching the Debian packages of the image $name"
        rm -rf "$folder.part"
        mkdir -p "$folder.part/apt/lists/partial" "$folder.part/apt/archives/partial" "$folder.part/debs"
        sources=$folder.part/apt/sources.list
        base_sources >"$sources"
        : >"$folder.part/apt/status"
        # The suite of the base image, whatever this machine itself runs.
        options=(-o "Dir::State::status=$folder.part/apt/status" -o "Dir::State::lists=$folder.part/apt/lists"
            -o "Dir::Etc::sourcelist=$sources" -o Dir::Etc::sourceparts=- -o "Dir::Cache=$folder.part/apt"
            -o APT::Sandbox::User=root)
        run_logged "debs-$name-lists" apt-get "${options[@]}" update || die "could not read Debian's package lists"
        run_logged "debs-$name" env -C "$folder.part/debs" apt-get "${options[@]}" download "$@" ||
            die "could not fetch the packages of the image $name"
        rm -rf "$folder.part/apt"
        mv "$folder.part/debs" "$folder"
        rm -rf "$folder.part"
    fi
    printf '%s' "$folder"
}
