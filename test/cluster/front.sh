# shellcheck shell=bash
# The front as the host reaches it.

# Where ./arena url leads: one's own machine only, unless said otherwise. The next free port is taken.
ARENA_FRONT=${ARENA_FRONT:-127.0.0.1:8800}
FRONT_SERVICE=10.96.0.80:8080
FRONT_URL_FILE=$ARENA_RUN/front.url

front_forward_up() {
    install -m 644 "$CLUSTER_DIR/forward.py" "$ARENA_STATE/config/forward.py"
    service_start front-forward "$ARENA_STATE/config/forward.py" \
        /usr/bin/python3 "$ARENA_STATE/config/forward.py" --listen "$ARENA_FRONT" \
        --namespace "/run/netns/$ARENA_NETNS" --connect "$FRONT_SERVICE" --announce "$FRONT_URL_FILE"
    wait_for 20 "the way to the front is open" front_forward_ready || service_check front-forward
}

# The address is of the program that runs now, not of one before it.
front_forward_ready() {
    service_pid front-forward >/dev/null && [ "$FRONT_URL_FILE" -nt "$ARENA_RUN/front-forward.pid" ]
}

front_url() {
    front_forward_ready || die "the front is not deployed here; do it with: ./arena up"
    cat "$FRONT_URL_FILE"
}

# That it reads from PostgreSQL, too: a Pod counts as ready for some seconds after it has lost that.
front_ready() {
    curl -fsS --noproxy '*' --max-time 5 -o /dev/null "$(front_url)/api/v1/environments"
}
