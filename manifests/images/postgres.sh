#!/bin/sh
# Starts PostgreSQL, and makes its data the first time: the role and the database `arena`, which anyone
# with the password may use. The password is the one of $POSTGRES_PASSWORD, also after that has changed.
set -eu
umask 077

bin=/usr/lib/postgresql/15/bin
data=/var/lib/postgresql/data

# alone FOLDER: changes the data before anyone can connect. Nothing of it is logged, least of all the
# password. Where a container was killed, its PostgreSQL was process 1, as this script is now; told so,
# it does not take itself for another PostgreSQL on the same data.
alone() {
    PG_GRANDPARENT_PID=$$ "$bin/postgres" --single -D "$1" -c log_min_error_statement=panic -c log_statement=none postgres >/dev/null
}

case ${POSTGRES_PASSWORD:-} in
'' | *[!A-Za-z0-9_-]*)
    echo 'POSTGRES_PASSWORD has to be set, to letters and digits' >&2
    exit 1
    ;;
esac

# A start that was killed half-way leaves no folder of that name.
if [ ! -e "$data" ]; then
    rm -rf "$data.part"
    "$bin/initdb" -D "$data.part" --username=postgres --encoding=UTF8 --locale=C.UTF-8 --data-checksums \
        --auth-local=trust --auth-host=scram-sha-256 --no-instructions
    echo 'host all all all scram-sha-256' >>"$data.part/pg_hba.conf"
    printf 'CREATE ROLE arena\nCREATE DATABASE arena OWNER arena\n' | alone "$data.part"
    mv "$data.part" "$data"
    sync
fi

printf "ALTER ROLE arena LOGIN PASSWORD '%s'\n" "$POSTGRES_PASSWORD" | alone "$data"
unset POSTGRES_PASSWORD

exec "$bin/postgres" -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp \
    -c shared_buffers=64MB -c max_connections=100 -c jit=off -c log_timezone=UTC -c timezone=UTC
