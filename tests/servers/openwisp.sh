#!/usr/bin/env bash
# Runs a command with a real OpenWISP that lives as long as the command does:
#
#     tests/servers/postgres.sh tests/servers/openwisp.sh cargo test
#
# The command finds
#
#   FLEETWIRE_TEST_OPENWISP_URL        Daphne, on a SpatiaLite database of its own
#   FLEETWIRE_TEST_OPENWISP_LIVE       the file of that database
#   FLEETWIRE_TEST_OPENWISP_SQLITE     the same seed in another file: to be copied, not to be written
#   FLEETWIRE_TEST_OPENWISP_POSTGRES   the same in PostGIS: the URL of a database that CREATE DATABASE
#                                      ... TEMPLATE takes
#   FLEETWIRE_TEST_OPENWISP_DUMP       the same as SQL, for a server of one's own
#   FLEETWIRE_TEST_OPENWISP_PYTHON     the interpreter that OpenWISP is installed for
#   FLEETWIRE_TEST_OPENWISP_REDIS      the path of Redis' socket
#
# If the first is set already, all of it is taken as it is. The Python that has it is made by the Makefile
# (target/openwisp/venv); settings and seed are in tests/openwisp/. A migrated and seeded database is kept in
# target/openwisp/ for one state of those: to make them takes half a minute, to use them four seconds.
set -euo pipefail

if (($# == 0)); then
    echo 'usage: tests/servers/openwisp.sh COMMAND [ARGUMENT]...' >&2
    exit 2
fi
if [[ -n ${FLEETWIRE_TEST_OPENWISP_URL:-} ]]; then
    exec "$@"
fi

lacking() {
    echo "tests/servers/openwisp.sh: $1" >&2
    exit 1
}

root=$(cd "$(dirname "$0")/../.." && pwd)
kept=$root/target/openwisp
python=$kept/venv/bin/python
project=$root/tests/openwisp
server_url=${FLEETWIRE_TEST_POSTGRES_URL:-}
[[ -x $python ]] || lacking "OpenWISP is not installed in target/openwisp/venv: run 'make openwisp'"
[[ -n $server_url ]] || lacking 'no PostgreSQL for its PostGIS database: run it inside of tests/servers/postgres.sh'
command -v redis-server >/dev/null \
    || lacking 'no redis-server found; on Debian: apt-get install --yes --no-install-recommends redis-server'
"$python" -c 'import ctypes; ctypes.CDLL("mod_spatialite.so")' 2>/dev/null \
    || lacking 'no SpatiaLite found; on Debian: apt-get install --yes --no-install-recommends libsqlite3-mod-spatialite'
"$python" -c 'import ctypes.util, sys; sys.exit(not ctypes.util.find_library("gdal"))' \
    || lacking 'no GDAL found; on Debian: apt-get install --yes --no-install-recommends gdal-bin'

# Debian keeps the server's programs off the PATH, one folder a version: the newest.
bin=$(compgen -G '/usr/lib/postgresql/*/bin/psql' | sort -V | tail -n 1 || true)
[[ -n $bin ]] || bin=$(command -v psql) || lacking 'no psql found; on Debian: apt-get install --yes --no-install-recommends postgresql'
bin=$(dirname "$bin")

postgis_package() {
    local version
    version=$("$bin/psql" --no-align --tuples-only "$server_url" --command='SHOW server_version_num')
    echo "postgresql-$((version / 10000))-postgis-3"
}

directory=$(mktemp --directory --tmpdir fleetwire-openwisp-XXXXXX)
started=()
stop() {
    local process
    for process in "${started[@]}"; do
        kill "$process" 2>/dev/null || true
    done
    wait
    if [[ -n ${name:-} ]]; then
        "$bin/psql" --quiet "$server_url" --command="DROP DATABASE IF EXISTS $name WITH (FORCE)" >/dev/null 2>&1 || true
    fi
    rm -rf "$directory"
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Shows a log only of what went wrong.
quietly() {
    local log=$directory/$1.log
    shift
    "$@" >"$log" 2>&1 || { tail -n 20 "$log" >&2; return 1; }
}

# Waits for what a process says when it is ready, in vain when it ends or takes a minute.
await() {
    local process=$1 log=$2 pattern=$3 deadline=$((SECONDS + 60))
    until grep --quiet --no-messages --ignore-case "$pattern" "$log"; do
        if ! kill -0 "$process" 2>/dev/null || ((SECONDS > deadline)); then
            tail -n 20 "$log" >&2
            exit 1
        fi
        sleep 0.05
    done
}

# A migrated and seeded OpenWISP in the database of this URL.
fill() {
    OPENWISP_DATABASE=$1 quietly migrate "$python" -m django migrate --noinput
    OPENWISP_DATABASE=$1 quietly seed "$python" "$project/seed.py"
}

export PYTHONPATH=$project PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=controller.settings
socket=$directory/redis.sock
export OPENWISP_CACHE="unix://$socket?db=0" OPENWISP_CHANNELS="unix://$socket?db=1"
redis-server --port 0 --unixsocket "$socket" --dir "$directory" --save '' >"$directory/redis.log" 2>&1 &
started+=($!)
await $! "$directory/redis.log" 'ready to accept connections'

# What the databases are made of: a template of another state is none.
state=$(cat "$project/requirements.txt" "$project/seed.py" "$project/controller/settings.py" | sha256sum | cut -c 1-16)

# A template appears under its name when it is whole: several runs may make it at once.
sqlite=$kept/$state.db
if [[ ! -f $sqlite ]]; then
    echo 'tests/servers/openwisp.sh: making a SpatiaLite database, which is kept in target/openwisp' >&2
    rm -f "$kept"/*.db
    fill "sqlite://$directory/new.db"
    cp "$directory/new.db" "$sqlite.$$"
    mv "$sqlite.$$" "$sqlite"
fi
# Another run may throw the template away.
cp "$sqlite" "$directory/seeded.db"
cp "$sqlite" "$directory/live.db"

# Of its own for each run, on a server that may be used by several.
suffix=${directory##*-}
name=openwisp_${suffix,,}
postgres=${server_url%/*}/$name
"$bin/psql" --quiet "$server_url" --command="CREATE DATABASE $name"
"$bin/psql" --quiet "$postgres" --command='CREATE EXTENSION postgis' 2>"$directory/postgis.log" \
    || lacking "no PostGIS found for this PostgreSQL; on Debian: apt-get install --yes --no-install-recommends $(postgis_package)"
dump=$kept/$state.sql
if [[ -f $dump ]]; then
    cp "$dump" "$directory/dump.sql"
    quietly restore "$bin/psql" --quiet --set=ON_ERROR_STOP=1 "$postgres" --file="$directory/dump.sql"
else
    echo 'tests/servers/openwisp.sh: making a PostGIS database, a dump of which is kept in target/openwisp' >&2
    rm -f "$kept"/*.sql
    fill "$postgres"
    "$bin/pg_dump" --no-owner "$postgres" >"$directory/dump.sql"
    cp "$directory/dump.sql" "$dump.$$"
    mv "$dump.$$" "$dump"
fi

# The port is the kernel's choice, and told.
OPENWISP_DATABASE=sqlite://$directory/live.db "$python" -m daphne --bind 127.0.0.1 --port 0 \
    controller.asgi:application >"$directory/daphne.log" 2>&1 &
started+=($!)
listening='Listening on TCP address '
await $! "$directory/daphne.log" "$listening"
address=$(sed --quiet "s/.*$listening//p" "$directory/daphne.log" | head -n 1)

export FLEETWIRE_TEST_OPENWISP_URL=http://$address
export FLEETWIRE_TEST_OPENWISP_LIVE=$directory/live.db
export FLEETWIRE_TEST_OPENWISP_SQLITE=$directory/seeded.db
export FLEETWIRE_TEST_OPENWISP_POSTGRES=$postgres
export FLEETWIRE_TEST_OPENWISP_PYTHON=$python
export FLEETWIRE_TEST_OPENWISP_DUMP=$directory/dump.sql
export FLEETWIRE_TEST_OPENWISP_REDIS=$socket
unset PYTHONPATH PYTHONDONTWRITEBYTECODE DJANGO_SETTINGS_MODULE OPENWISP_CACHE OPENWISP_CHANNELS
"$@"
