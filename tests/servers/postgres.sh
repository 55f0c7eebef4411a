#!/usr/bin/env bash
# postgres.sh COMMAND [ARG ...]: runs COMMAND beside a PostgreSQL of its own.
#
# The server lives in a temporary directory on a free port of 127.0.0.1; COMMAND finds it by
# FLEETWIRE_TEST_POSTGRES_URL. Both are gone when COMMAND ends, whose exit code is passed on.
set -euo pipefail

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb || true)")
if [ ! -x "$bin/initdb" ]; then
  echo "postgres.sh: PostgreSQL's server programs are missing (Debian: apt-get install postgresql)" >&2
  exit 1
fi

directory=$(mktemp -d)
# PostgreSQL refuses to run as root.
as=()
if [ "$(id -u)" = 0 ]; then
  owner=postgres
  id postgres >/dev/null 2>&1 || owner=nobody
  chown "$owner" "$directory"
  as=(setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups env HOME="$directory")
fi

finish() {
  "${as[@]}" "$bin/pg_ctl" -D "$directory/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$directory"
}
trap finish EXIT
trap 'exit 130' INT TERM

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cd "$directory"
"${as[@]}" "$bin/initdb" -D "$directory/data" -U fleetwire -A trust -E UTF8 --locale=C >"$directory/initdb.log" 2>&1 || {
  cat "$directory/initdb.log" >&2
  exit 1
}
cat >>"$directory/data/postgresql.conf" <<CONF
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 400
CONF
"${as[@]}" "$bin/pg_ctl" -D "$directory/data" -l "$directory/server.log" -w start >/dev/null || {
  cat "$directory/server.log" >&2
  exit 1
}
cd "$OLDPWD"
export FLEETWIRE_TEST_POSTGRES_URL="postgres://fleetwire@127.0.0.1:$port/postgres"
"$@"
