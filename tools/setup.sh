# shellcheck shell=bash
# What tools/demo and tools/check share: packages, steps with progress, processes, and clean-up that happens however the
# script ends. To be sourced, with `top` set to the root of the source tree.
#
# Everything that a script makes gets its clean-up registered before it is made (at_end); the EXIT trap runs what was
# registered in reverse order. Signals only end the script, and every long command runs in the background under `wait`,
# because bash would otherwise finish that command before it looks at the signal.

set -u
: "${top:?is the root of the source tree}"

session=$(mktemp -d "${TMPDIR:-/tmp}/bypeer-XXXXXXXX")
at_end_commands=()
step_pid=
started_pid=

at_end()
{
    at_end_commands+=("$1")
}

run_at_end()
{
    local status=$? i
    trap '' INT TERM HUP
    trap - EXIT
    [ -z "$step_pid" ] || stop_process "$step_pid"
    for ((i = ${#at_end_commands[@]} - 1; i >= 0; i--)); do
        eval "${at_end_commands[i]}"
    done
    rm -rf "$session"
    exit "$status"
}
trap run_at_end EXIT
trap 'echo; echo "interrupted: cleaning up"; exit 130' INT
trap 'echo "terminated: cleaning up"; exit 143' TERM HUP

say()
{
    printf '%s\n' "$*"
}

fail()
{
    printf '%s\n' "$*" >&2
    exit 1
}

# start_process COMMAND...: in the background and in a process group of its own, whose number is its PID, left in
# $started_pid. So it neither sees the terminal's interrupt nor outlives ours.
start_process()
{
    set -m
    "$@" </dev/null &
    started_pid=$!
    set +m
}

# stop_process PID [SECONDS]: asks the process and its group with TERM, insists with KILL. Only for what start_process
# started.
stop_process()
{
    local pid=$1 left=$((${2:-20} * 10))
    kill -TERM -- "-$pid" 2>/dev/null
    while kill -0 "$pid" 2>/dev/null && [ "$left" -gt 0 ]; do
        sleep 0.1
        left=$((left - 1))
    done
    kill -KILL -- "-$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    return 0
}

# step TEXT COMMAND...: runs a long command out of sight and says how far it is: on a terminal by its last line, else by
# a line every 20 s. Returns its status; when that is not 0, shows the end of what it printed.
step()
{
    local text=$1 log status started=$SECONDS shown=0 last
    shift
    log=$session/step.log
    start_process "$@" >"$log" 2>&1
    step_pid=$started_pid
    [ -t 1 ] || say "$text ..."
    while kill -0 "$step_pid" 2>/dev/null; do
        if [ -t 1 ]; then
            last=$(tail -c 400 "$log" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | tr -cd '[:print:]')
            printf '\r\033[K%s ... %d s  %s' "$text" $((SECONDS - started)) "${last:0:60}"
        elif [ $((SECONDS - started - shown)) -ge 20 ]; then
            shown=$((SECONDS - started))
            last=$(tail -c 400 "$log" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | tr -cd '[:print:]')
            printf '  %d s: %s\n' "$shown" "${last:0:100}"
        fi
        sleep 0.2 &
        wait $!
    done
    wait "$step_pid"
    status=$?
    step_pid=
    [ ! -t 1 ] || printf '\r\033[K%s ... %d s\n' "$text" $((SECONDS - started))
    if [ "$status" -ne 0 ]; then
        say "failed with status $status after $((SECONDS - started)) s: $*"
        tail -n "${step_tail:-60}" "$log"
    fi
    return "$status"
}

# packages_of SECTION...: their names, from tools/packages.
packages_of()
{
    awk -v wanted=" $* " '/^#/ || /^$/ { next } /^\[/ { gsub(/[][]/, ""); on = index(wanted, " " $0 " "); next } on' \
        "$top/tools/packages"
}

# install_packages SECTION...: silent when all is there.
install_packages()
{
    local package missing=()
    command -v dpkg-query >/dev/null || fail "this needs Debian 12 (dpkg-query is not here); see README.md for others"
    for package in $(packages_of "$@"); do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" -eq 0 ] || fail "packages are missing and only root can install them: sudo apt-get install ${missing[*]}"
    say "installing ${#missing[@]} Debian packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    step "apt-get update" apt-get -q update || fail "apt-get update failed: is there a network?"
    step "apt-get install" apt-get -qq -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 --no-install-recommends \
        install "${missing[@]}" || fail "apt-get install failed: see above"
}

# suite_programs DIRECTORY SUITE: the programs of the tests in it, as ninja knows them.
suite_programs()
{
    meson introspect "$1" --tests | /usr/bin/python3 -c '
import json, os, sys
root, suite = os.path.realpath(sys.argv[1]), sys.argv[2]
for program in sorted({test["cmd"][0] for test in json.load(sys.stdin) if any(
        name.split(":")[-1] == suite for name in test["suite"])}):
    print(os.path.relpath(program, root))
' "$1" "$2"
}

# build DIRECTORY TEXT [MESON-OPTION...]: sets up once, then builds what is out of date; with build_suite set, only the
# tests of that suite. CC is honoured at set-up.
build()
{
    local directory=$1 text=$2
    shift 2
    if [ ! -f "$directory/build.ninja" ]; then
        rm -rf "$directory"
        step "setting up $directory" meson setup "$@" "$directory" "$top" || return 1
    fi
    local targets=()
    [ -z "${build_suite:-}" ] || mapfile -t targets < <(suite_programs "$directory" "$build_suite")
    step "$text" ninja -C "$directory" "${targets[@]}"
}

# need_root_and_namespaces: what every script with packets needs; says what is missing.
need_root_and_namespaces()
{
    [ "$(id -u)" -eq 0 ] || fail "network namespaces need root: run sudo $0"
    [ -e /dev/net/tun ] || modprobe tun 2>/dev/null || fail "/dev/net/tun is missing: modprobe tun"
}
