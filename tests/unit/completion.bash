#!/usr/bin/env bash
# Completion as bash would call it. usage: completion.bash BYPEER BASH-COMPLETION FISH-COMPLETION ZSH-COMPLETION
set -u
PATH=$(dirname "$1"):$PATH
failed=0

# shellcheck disable=SC2317  # the completion calls it
compopt() { :; }

# expect WORDS... = OFFERED...: the last word is the one being completed.
expect()
{
    local -a words=()
    while [ "$1" != = ]; do
        words+=("$1")
        shift
    done
    shift
    COMP_WORDS=("${words[@]}")
    COMP_CWORD=$((${#words[@]} - 1))
    _bypeer
    if [ "${COMPREPLY[*]}" != "$*" ]; then
        echo "${words[*]}: offered \"${COMPREPLY[*]}\", not \"$*\""
        failed=1
    fi
}

# shellcheck source=/dev/null
. "$2"
expect bypeer m = members
expect bypeer links '' = list add remove
expect bypeer -o '' = table json
expect bypeer -o json links r = remove
expect bypeer --socket /x links r = remove
expect bypeer links add name --g = --group
expect bypeer members --li = --link --limit
expect bypeer peer '' = list show add config remove load
expect bypeer peer config alice --p = --private-key-file
expect bypeer config explain dataplane.i = dataplane.idle dataplane.idle-max-us
expect bypeer config check /etc/hostn = /etc/hostname
expect bypeer name '' = publish update unpublish list resolve lookup-path
expect bypeer name publish web --protocol '' = tcp udp
expect bypeer identity '' = list create show xml rename delete default export import rotate
expect bypeer identity create --profile '' = modern windows
expect bypeer status '' = ''
! command -v shellcheck >/dev/null || shellcheck "$2" || failed=1
! command -v fish >/dev/null || fish -n "$3" || failed=1
! command -v zsh >/dev/null || zsh -n "$4" || failed=1
exit $failed
