# Shared by the scripts: where the checkout is, what a job needs installed, what has to be built again.
# shellcheck shell=bash

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# What the product and the tests' kit are built with.
# shellcheck disable=SC2034 # used by those who source this
build_packages=(build-essential pkg-config libasound2-dev libspandsp-dev libsystemd-dev libtiff-dev)

# Debian packages; asks apt only when one is missing.
need_packages() {
    local missing=() package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "These packages are missing and there is no sudo: run 'apt-get install ${missing[*]}' as root."
        sudo=(sudo)
    fi
    say "Installing ${missing[*]}"
    "${sudo[@]}" apt-get update -q >/dev/null || fail "'apt-get update' failed: is there a network?"
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}" >/dev/null ||
        fail "'apt-get install ${missing[*]}' failed."
}

need_commands() {
    local command
    for command in "$@"; do
        command -v "$command" >/dev/null || fail "'$command' is missing: install a Rust toolchain (1.95 or newer) and Node 20 first."
    done
}

# Runs the command when FILE is missing or older than anything in the folders that it is made of.
#   made_of FILE PATH... -- COMMAND...
made_of() {
    local file=$1 sources=()
    shift
    while [ "$1" != -- ]; do
        sources+=("$1")
        shift
    done
    shift
    if [ ! -e "$file" ] || [ -n "$(find "${sources[@]}" -newer "$file" -type f -print -quit)" ]; then
        "$@"
        touch "$file"
    fi
}

npm_install() { (cd "$1" && npm ci --no-audit --no-fund --loglevel=error >&2); }

build_pages() {
    made_of webui/node_modules/.installed webui/package.json webui/package-lock.json -- npm_install webui
    touch webui/node_modules/.installed
    made_of webui/dist/index.html webui/src webui/public webui/index.html webui/package-lock.json \
        webui/vite.config.ts daemon/web/openapi.json -- bash -c 'cd webui && npm run build --silent >&2'
}

# The binary and the kit. Not again within scripts/test: building a part of the workspace chooses other features of
# the crates than building all of it, and would build them twice.
build_programs() {
    [ -n "${HOOKLINE_BUILT:-}" ] || cargo build --release --quiet -p hookline -p hookline-test-kit
}
