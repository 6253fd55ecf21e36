# shellcheck shell=bash
# Virtual environments in the cache, one for each content of the requirements
# that made it: any number of trees can share them.

# What has no wheel is built with the pinned setuptools, not with whatever is newest.
PIP_OPTIONS=(--disable-pip-version-check --no-build-isolation --use-pep517)

# python_venv NAME REQUIREMENTS...: prints the folder; "base" has pip and setuptools alone.
python_venv() {
    local name=$1 key folder file arguments=()
    shift
    key=$(/usr/bin/python3 --version | cat - "$CLUSTER_DIR/pip-requirements.txt" "$@" | sha256sum | cut -c1-12)
    folder=$ARENA_CACHE/venv-$name-$key
    mkdir -p "$ARENA_CACHE"
    if [ ! -e "$folder/.complete" ]; then
        (
            flock 8
            [ ! -e "$folder/.complete" ] || exit 0
            rm -rf "$folder"
            # The system's own Python: one found first in PATH may vanish.
            /usr/bin/python3 -m venv "$folder" || exit 1
            run_logged "venv-$name" "$folder/bin/pip" install "${PIP_OPTIONS[@]}" --quiet \
                -r "$CLUSTER_DIR/pip-requirements.txt" || exit 1
            for file in "$@"; do arguments+=(-r "$file"); done
            if [ $# -gt 0 ]; then
                progress "installing Python packages for $name"
                run_logged "venv-$name" "$folder/bin/pip" install "${PIP_OPTIONS[@]}" "${arguments[@]}" || exit 1
            fi
            touch "$folder/.complete"
        ) 8>"$folder.lock" || die "could not make the Python environment $name"
    fi
    printf '%s' "$folder"
}

# python_venv_run NAME PROGRAM ARGUMENTS...: runs a program of a bare environment.
python_venv_run() {
    local folder
    folder=$(python_venv "$1")
    "$folder/bin/$2" "${@:3}"
}
