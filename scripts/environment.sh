# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# Sourced by debug-containers and test: what they run in. Everything lands in the checkout (.venv, .venv-test, .build); Debian packages
# are the one exception, installed by root only, after saying which.

checkout=$(cd -P "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }
die() {
    say "${0##*/}: $*"
    exit 1
}

# The user's own Ansible settings must not decide which code runs here; the inventory may (ANSIBLE_INVENTORY is kept).
unset ANSIBLE_COLLECTIONS_PATH ANSIBLE_COLLECTIONS_PATHS ANSIBLE_LIBRARY ANSIBLE_ACTION_PLUGINS ANSIBLE_ROLES_PATH
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV
# Named, because Ansible ignores an ansible.cfg in a world-writable folder, and does not find it from another one.
export ANSIBLE_CONFIG=$checkout/ansible.cfg
# Ansible refuses to start under a locale that is not UTF-8, and a minimal machine has no other than this one.
export LC_ALL=C.UTF-8

# Other users may be handed this checkout: what is made in it is as readable as what git made.
umask 022

# hold LOCK: one at a time; until the process ends or release is called. Children inherit it, so that an orphaned pip still holds it.
hold() {
    mkdir -p "$checkout/.build" || die "cannot write to $checkout"
    : 2>/dev/null >>"$checkout/.build/$1.lock" || die "cannot write to $checkout/.build (made by another user?)"
    exec 9>>"$checkout/.build/$1.lock"
    flock -n 9 && return
    say "Waiting for another run in this checkout ($1) ..."
    flock 9
}
release() { exec 9>&-; }

# missing_packages COMMAND=PACKAGE...: the packages whose command is not there. By command, because it may well come from elsewhere
# (docker-ce, /usr/local), and then Debian's package would only be in its way.
missing_packages() {
    local pair
    for pair; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null || printf '%s\n' "${pair#*=}"
    done | sort -u
}

# apt_install PACKAGE...: as root. Nothing is removed for our sake (--no-remove), and nothing is started: a dockerd or lxc-net that comes
# up changes the machine's firewall and bridges. Debian asks /usr/sbin/policy-rc.d before it starts a service, so apt runs where that
# file says no: in a mount namespace of its own, which is gone with apt, however it ends. The machine's own file stays as it is.
apt_install() {
    say "Installing from Debian: $*"
    mkdir -p "$checkout/.build"
    local policy=/usr/sbin/policy-rc.d deny=$checkout/.build/policy-rc.d log=$checkout/.build/apt.log status=0 aside=()
    printf '#!/bin/sh\n# nsfleet: nothing starts while scripts/test installs\nexit 101\n' >"$deny"
    chmod 755 "$deny"
    # One of ours that a kill left behind, as one or the other of what is made below.
    if [ -e "$policy" ] && { [ ! -s "$policy" ] || cmp -s "$deny" "$policy"; }; then rm "$policy"; fi
    if unshare --mount --propagation private true 2>/dev/null; then
        # A mount needs something to be mounted on. Empty and not executable, this decides nothing.
        [ -e "$policy" ] || : >"$policy"
        aside=(unshare --mount --propagation private)
    elif [ ! -e "$policy" ]; then
        cp -p "$deny" "$policy" # no mounts in here (a container, a chroot): the file itself, for as long as it takes
    fi
    # The first try fails where the package lists are absent or older than the mirror, or where an earlier run was killed.
    # shellcheck disable=SC2016
    "${aside[@]}" bash -euc '
        [ -z "$3" ] || mount --bind "$1" "$2"
        shift 3
        export DEBIAN_FRONTEND=noninteractive
        apt() { apt-get -o DPkg::Lock::Timeout=300 -q "$@"; }
        install() { apt install -y --no-install-recommends --no-remove "$@"; }
        install "$@" || { dpkg --configure -a && apt update && install "$@"; }
    ' - "$deny" "$policy" "${aside[*]}" "$@" </dev/null >"$log" 2>&1 || status=$?
    if [ -e "$policy" ] && { [ ! -s "$policy" ] || cmp -s "$deny" "$policy"; }; then rm "$policy"; fi
    [ "$status" = 0 ] || tail -n 15 "$log" >&2
    return "$status"
}

# python_with MODULES MINIMUM NAME...: the first interpreter of that age that can import these modules. It is run, not only looked up:
# a pyenv shim exists for versions that are not selected and then exits 127.
python_with() {
    local modules=$1 minimum=$2 name path
    shift 2
    for name; do
        path=$(command -v "$name") || continue
        if "$path" -c "import sys, $modules; sys.exit(sys.version_info < (${minimum/./,}))" >/dev/null 2>&1; then
            printf '%s\n' "$path"
            return
        fi
    done
    return 1
}

# make_venv FOLDER REQUIREMENTS MINIMUM NAME...: a virtual environment in the checkout, from one of these interpreters.
# It carries a mark that it is ours, empty until all is installed: one that a kill left half made is made again, one that somebody else
# made is left alone.
make_venv() {
    local name=$1 folder=$checkout/$1 requirements=$2 minimum=$3
    shift 3
    local mark=$folder/.nsfleet wanted python
    wanted=$(printf '%s' "$checkout" | cat - "$checkout/$requirements" | sha256sum)
    venv_is_ready && return
    hold setup
    venv_is_ready && { release; return; } # somebody else was quicker
    if [ -e "$folder" ] && [ ! -e "$mark" ]; then
        release
        "$folder/bin/python" -c 'import ansible' 2>/dev/null || die "$folder was not made by this script and has no Ansible: move it away"
        return
    fi
    [ -w "$checkout" ] || die "cannot write to $checkout"

    local seed=(-m venv)
    if python=$(python_with venv,ensurepip "$minimum" "$@"); then
        :
    elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt_install python3-venv || die "python3-venv could not be installed; the last lines above say why"
        python=$(python_with venv,ensurepip "$minimum" "$@") || die "needs Python $minimum or newer, and this machine has none"
    elif python=$(python_with venv "$minimum" "$@"); then
        seed=("$checkout/scripts/venv_without_ensurepip.py")
    else
        die "needs Python $minimum or newer, and this machine has none"
    fi
    say "Making $name with $("$python" -V) (once) ..."
    mkdir -p "$folder"
    : >"$mark"
    find "$folder" -mindepth 1 ! -path "$mark" -delete
    "$python" "${seed[@]}" "$folder" || die "no virtual environment could be made; as root, this helps: apt-get install python3-venv ca-certificates"
    # PIP_USER would send the packages to the caller's home.
    if ! PIP_USER=0 "$folder/bin/python" -m pip install -q --disable-pip-version-check -r "$checkout/$requirements" </dev/null >"$checkout/.build/pip.log" 2>&1; then
        tail -n 15 "$checkout/.build/pip.log" >&2
        die "pip could not install what $requirements names (the lines above say why)"
    fi
    printf '%s\n' "$wanted" >"$mark"
    release
}
venv_is_ready() { [ -x "$folder/bin/python" ] && [ -s "$mark" ] && [ "$(<"$mark")" = "$wanted" ]; }
