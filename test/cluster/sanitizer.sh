# shellcheck shell=bash
# ARENA_SANITIZE=1 ./arena test e2e (or up): the controller, the front and fetch in the cluster are built with
# AddressSanitizer and UBSan, and the suite ends with a look at everything that they wrote.

# shellcheck disable=SC2034 # for test.sh and images.sh, which share a build folder
SANITIZER_BUILD=-Db_sanitize=address,undefined
# The Pods' limits stay as they are: what was freed is kept for 16 MiB, not 256. The rest is as in the other suites.
SANITIZER_OPTIONS=(
    ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:quarantine_size_mb=16
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
)
SANITIZER_LOGS=$ARENA_STATE/sanitizer-logs
# Containers, by their names: the last four are fetch.
SANITIZER_CONTAINERS=(controller api-server fetch layers push report)

sanitizer_wanted() {
    [ -n "${ARENA_SANITIZE:-}" ]
}

# What makes such an image another one than the usual.
sanitizer_key() {
    ! sanitizer_wanted || printf '%s\n' "${SANITIZER_OPTIONS[@]}"
}

# A Pod's logs go with it. Another name for the same file keeps them, with what is still to come.
sanitizer_logs_keep() {
    local inode file name containers
    containers=$(IFS='|' && echo "${SANITIZER_CONTAINERS[*]}")
    rm -rf "$SANITIZER_LOGS"
    mkdir -p "$SANITIZER_LOGS"
    while true; do
        while read -r inode file; do
            name=$SANITIZER_LOGS/${file//\//+}+$inode
            [ -e "$name" ] || ln "$ARENA_STATE/pod-logs/$file" "$name" 2>/dev/null || true
        done < <(find "$ARENA_STATE/pod-logs" -type f -regextype egrep -regex ".*/($containers)/[^/]*" \
            ! -name '*.gz' ! -name '*.tmp' -printf '%i %P\n' 2>/dev/null)
        sleep 1
    done
}

# Leaks are told at a program's end, so the two that run are ended first.
sanitizer_check() {
    local name reports seen=0 words='(Address|Leak|UndefinedBehavior)Sanitizer|\.[ch]:[0-9]+:[0-9]+: runtime error: '
    for name in controller api-server; do
        sanitizer_runs "$name" || {
            echo "the $name that runs has no sanitizer in it"
            return 1
        }
    done
    kubectl_admin -n rl-arena-system delete pods --wait --timeout=90s \
        -l 'app.kubernetes.io/name in (controller, api-server)' || return 1
    sleep 2 # for their last words
    for name in "${SANITIZER_CONTAINERS[@]}"; do
        [ -n "$(find "$SANITIZER_LOGS" -name "*+$name+*" -print -quit)" ] || {
            echo "there is no log of a container $name in $SANITIZER_LOGS"
            return 1
        }
    done
    seen=$(find "$SANITIZER_LOGS" -type f | wc -l)
    reports=$(grep -rlE "$words" "$SANITIZER_LOGS" || true)
    [ -z "$reports" ] || {
        while read -r name; do
            printf -- '--- %s\n' "$name"
            grep -hE -A 40 "$words" "$name" | head -n 60
        done <<<"$reports"
        return 1
    }
    echo "no sanitizer has found anything: $seen logs"
}

sanitizer_runs() {
    local maps
    while read -r maps; do
        [ "$(cat "${maps%/maps}/comm" 2>/dev/null)" != "$1" ] || return 0
    done < <(grep -l /libasan /proc/[0-9]*/maps 2>/dev/null)
    return 1
}
