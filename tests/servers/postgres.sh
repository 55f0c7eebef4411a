#!/usr/bin/env bash
# Runs a command with a PostgreSQL server that lives as long as the command does:
#
#     tests/servers/postgres.sh cargo test
#
# The command finds its URL in FLEETWIRE_TEST_POSTGRES_URL. If that is set already, the server
# behind it is used and none is started. The server listens on a socket in a temporary directory
# only, so nothing collides with another one. `ctl` in the directory of that socket is pg_ctl for this server:
# a test that began one of its own stops and starts it.
set -euo pipefail

if (($# == 0)); then
    echo 'usage: tests/servers/postgres.sh COMMAND [ARGUMENT]...' >&2
    exit 2
fi
if [[ -n ${FLEETWIRE_TEST_POSTGRES_URL:-} ]]; then
    exec "$@"
fi

# Debian keeps the server's programs off the PATH, one folder a version: the newest.
programs() {
    local newest
    newest=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1 || true)
    [[ -n $newest ]] || newest=$(command -v initdb || true)
    [[ -n $newest ]] && dirname "$newest"
}

if ! bin=$(programs); then
    install='apt-get install --yes --no-install-recommends postgresql'
    if ((EUID == 0)) && command -v apt-get >/dev/null; then
        echo "tests/servers/postgres.sh: no PostgreSQL found: $install" >&2
        apt-get update --quiet >&2
        DEBIAN_FRONTEND=noninteractive $install >&2
        bin=$(programs)
    else
        echo "tests/servers/postgres.sh: no PostgreSQL found; install it, on Debian with: $install" >&2
        exit 1
    fi
fi

directory=$(mktemp --directory --tmpdir fleetwire-postgres-XXXXXX)
as_owner=()
if ((EUID == 0)); then
    # PostgreSQL refuses to run as root.
    owner=nobody
    id postgres >/dev/null 2>&1 && owner=postgres
    chown "$owner" "$directory"
    as_owner=(setpriv "--reuid=$owner" "--regid=$(id -g "$owner")" --clear-groups)
fi
chmod 755 "$directory"

stop() {
    # Immediate: nobody needs its data any more.
    "$directory/ctl" stop --mode=immediate >/dev/null 2>&1 || true
    rm -rf "$directory"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd_safe=(env --chdir="$directory")
"${as_owner[@]}" "${cd_safe[@]}" "$bin/initdb" --pgdata="$directory/data" --username=postgres \
    --auth=trust --encoding=UTF8 --no-locale --no-sync >"$directory/initdb.log" 2>&1 \
    || { cat "$directory/initdb.log" >&2; exit 1; }
# What a crash of this server would lose does not matter; what a commit means to its clients does. Who measures
# sets FLEETWIRE_TEST_POSTGRES_FSYNC=on.
options="-c listen_addresses= -c unix_socket_directories=$directory -c max_connections=300"
options+=" -c fsync=${FLEETWIRE_TEST_POSTGRES_FSYNC:-off}"
ctl=("${as_owner[@]}" "${cd_safe[@]}" "$bin/pg_ctl" --silent --wait "--pgdata=$directory/data"
    "--log=$directory/server.log" "--options=$options")
{
    echo '#!/bin/sh'
    printf 'exec'
    printf " '%s'" "${ctl[@]}"
    echo ' "$@"'
} >"$directory/ctl"
chmod 755 "$directory/ctl"
"$directory/ctl" start >/dev/null \
    || { cat "$directory/server.log" >&2; exit 1; }

# A socket's directory in place of a host, as libpq and sqlx take it.
export FLEETWIRE_TEST_POSTGRES_URL="postgres://postgres@${directory//\//%2F}/postgres"
"$@"
