#!/usr/bin/env bash
# Runs a command with what tests over SSH need for as long as the command lasts:
#
#     tests/servers/ssh.sh cargo test
#
# That is an account of its own, with a random password and its home in a temporary directory: the
# command finds it in FLEETWIRE_TEST_SSH_USER, _PASSWORD and _HOME. If the first is set already,
# nothing is made. The servers (OpenSSH's sshd and Dropbear) are started by the tests themselves, each
# on a port of its own; FLEETWIRE_TEST_SSHD and FLEETWIRE_TEST_DROPBEAR are their programs.
#
# It takes root: an account is made, and an SSH server that is not root lets nobody in by password.
set -euo pipefail

if (($# == 0)); then
    echo 'usage: tests/servers/ssh.sh COMMAND [ARGUMENT]...' >&2
    exit 2
fi
if [[ -n ${FLEETWIRE_TEST_SSH_USER:-} ]]; then
    exec "$@"
fi
if ((EUID != 0)); then
    echo 'tests/servers/ssh.sh: the tests over SSH make an account for themselves, which takes root: use sudo, or a container' >&2
    exit 1
fi

# Where Debian keeps servers.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
for program in sshd ssh-keygen dropbear useradd userdel chpasswd; do
    if ! command -v "$program" >/dev/null; then
        echo "tests/servers/ssh.sh: no $program found; on Debian: apt-get install --yes --no-install-recommends openssh-server openssh-client dropbear-bin passwd" >&2
        exit 1
    fi
done

prefix=fleetwire-ssh-

# Others may be changing the accounts at this moment, too: there is one lock for all.
patiently() {
    local attempt
    for attempt in {1..20}; do
        "$@" 2>/dev/null && return
        sleep 0.5
    done
    "$@"
}

remove() {
    local user=$1
    if id "$user" >/dev/null 2>&1; then
        # What a test left running there.
        if command -v pkill >/dev/null; then
            pkill -KILL --uid "$user" || true
        fi
        patiently userdel --force "$user" || true
    fi
}

# A run that was killed outright could not remove its own.
for user in $(getent passwd | cut -d: -f1 | grep -E "^$prefix[0-9]+\$" || true); do
    owner=${user#"$prefix"}
    if [[ ! -d /proc/$owner ]]; then
        home=$(getent passwd "$user" | cut -d: -f6)
        remove "$user"
        case $home in */"$prefix"*/home) rm -rf "${home%/home}" ;; esac
    fi
done

user=$prefix$$
directory=$(mktemp --directory --tmpdir "$prefix$$-XXXXXX")

stop() {
    remove "$user"
    rm -rf "$directory"
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# sshd leaves its privileges behind in here.
mkdir -p /run/sshd
chmod 755 "$directory"
mkdir "$directory/home"
patiently useradd --system --no-log-init --gid nogroup --no-create-home \
    --home-dir "$directory/home" --shell /bin/sh "$user"
password=$(od --address-radix=n --read-bytes=16 --format=x1 /dev/urandom | tr -d ' \n')
patiently chpasswd <<<"$user:$password"
chown "$user" "$directory/home"
chmod 700 "$directory/home"

export FLEETWIRE_TEST_SSH_USER=$user
export FLEETWIRE_TEST_SSH_PASSWORD=$password
export FLEETWIRE_TEST_SSH_HOME=$directory/home
FLEETWIRE_TEST_SSHD=$(command -v sshd)
FLEETWIRE_TEST_DROPBEAR=$(command -v dropbear)
export FLEETWIRE_TEST_SSHD FLEETWIRE_TEST_DROPBEAR
"$@"
