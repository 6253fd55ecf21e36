# shellcheck shell=bash
# Long-running programs: started detached, found again by pid and start time (a
# pid alone may belong to another process by now), restarted only when their
# command or configuration changed.
# shellcheck disable=SC2016 # the quoted script is another shell's, with arguments of its own

# service_start NAME FILE,FILE... COMMAND...: the files are the configuration
# whose change makes a restart necessary ("-" for none).
service_start() {
    local name=$1 files=$2 wanted pid
    shift 2
    mkdir -p "$ARENA_RUN" "$ARENA_LOG"
    wanted=$({
        printf '%s\n' "$@"
        [ "$files" = - ] || tr ',' '\n' <<<"$files" | xargs cat
    } | sha256sum | cut -c1-16)
    if pid=$(service_pid "$name"); then
        [ "$(sed -n 3p "$ARENA_RUN/$name.pid")" != "$wanted" ] || return 0
        service_stop "$name"
    fi
    service_rotate_log "$ARENA_LOG/$name.log"
    # Descriptor 9 is the lock of this run; a daemon must not inherit it.
    setsid -f bash -c '
        pidfile=$1; wanted=$2; shift 2
        { echo $$; cut -d" " -f22 /proc/$$/stat; echo "$wanted"; } >"$pidfile.part"
        mv "$pidfile.part" "$pidfile"
        exec "$@"' service "$ARENA_RUN/$name.pid" "$wanted" "$@" \
        >>"$ARENA_LOG/$name.log" 2>&1 </dev/null 9>&-
}

service_rotate_log() {
    local log=$1
    if [ -f "$log" ] && [ "$(stat -c %s "$log")" -gt 20000000 ]; then
        mv "$log" "$log.1"
    fi
}

# Prints the pid of a service that runs; fails when it does not.
service_pid() {
    local file=$ARENA_RUN/$1.pid pid started
    [ -s "$file" ] || return 1
    { read -r pid && read -r started; } <"$file" || return 1
    [ "$(cut -d' ' -f22 "/proc/$pid/stat" 2>/dev/null)" = "$started" ] || return 1
    [ "$(sed 's/.*) //' "/proc/$pid/stat" | cut -c1)" != Z ] || return 1
    printf '%s' "$pid"
}

service_stop() {
    local name=$1 pid tries
    if pid=$(service_pid "$name"); then
        kill "$pid" 2>/dev/null || true
        for tries in $(seq 100); do
            service_pid "$name" >/dev/null || break
            # The last resort after ten seconds of patience.
            [ "$tries" -lt 100 ] || kill -9 "$pid" 2>/dev/null || true
            sleep 0.1
        done
    fi
    rm -f "$ARENA_RUN/$name.pid"
}

service_names() {
    local file
    for file in "$ARENA_RUN"/*.pid; do
        [ -e "$file" ] && basename "$file" .pid
    done
    return 0
}

# service_check NAME...: tells at once when a program has died, with its last words.
service_check() {
    local name
    for name in "$@"; do
        service_pid "$name" >/dev/null && continue
        printf -- '--- the last lines of %s:\n' "$ARENA_LOG/$name.log" >&2
        tail -n 20 "$ARENA_LOG/$name.log" >&2
        die "$name does not run; its log is $ARENA_LOG/$name.log"
    done
}
