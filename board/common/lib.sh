# Shared by the scripts of board/common: options, facts of a board, templates.
# shellcheck shell=bash

set -euo pipefail
common=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# The text at the head of the calling script, from its second line to the first that is no comment.
usage() {
    sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//p}' "$0"
    exit "$1"
}

# Reads the facts of BOARD.
board_facts() {
    local meta=$common/../$1/meta
    [ -f "$meta" ] || fail "There is no board '$1': choose from $(cd "$common/.." && printf '%s ' */meta | sed 's|/meta||g')."
    # shellcheck source=board/x86_64/meta
    source "$meta"
}

# Fills in a template: FILE NAME=VALUE...; each NAME stands as @NAME@. What stays open is an error.
fill_in() {
    local text pair
    text=$(cat "$1")
    for pair in "${@:2}"; do
        text=${text//"@${pair%%=*}@"/${pair#*=}}
    done
    if grep -oE '@[A-Z_]+@' <<<"$text" >&2; then fail "$1: these were not filled in."; fi
    printf '%s\n' "$text"
}
