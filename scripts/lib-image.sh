# Shared by scripts/image and scripts/check-image: the pinned Buildroot, how it is configured, and whether it listened.
# shellcheck shell=bash disable=SC2154 # root is lib.sh's

usage() {
    sed -n '2,/^[^#]/{/^# shellcheck/d;/^#/!d;s/^# \{0,1\}//p}' "$0"
    exit 0
}

# The value of a line NAME=VALUE of a file, without quotes; nothing when there is none.
setting() { sed -n "s/^$2=\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$1"; }

# Fails unless DIR is a Buildroot tree of the pinned release.
release_of() {
    local pinned found
    pinned=$(setting buildroot/release version)
    [ -f "$1/support/misc/utils.mk" ] && [ -f "$1/Makefile" ] || fail "$1 is no Buildroot tree."
    found=$(sed -n 's/^export BR2_VERSION := //p' "$1/Makefile")
    [ "$found" = "$pinned" ] || fail "$1 is Buildroot $found; these files are made for $pinned (buildroot/release)."
}

# Fetches the pinned release into DIR, unless it is there, and proves that it is the one that was pinned.
fetch_release() {
    local into=$1 version repository commit sha256 found
    [ ! -e "$into/.checked" ] || return 0
    version=$(setting buildroot/release version) repository=$(setting buildroot/release repository)
    commit=$(setting buildroot/release commit) sha256=$(setting buildroot/release sha256)
    say "Fetching Buildroot $version"
    rm -rf "$into" "$into.git"
    mkdir -p "$into"
    git -c advice.detachedHead=false clone --quiet --bare --depth 1 --branch "$version" "$repository" "$into.git" ||
        fail "Buildroot $version cannot be fetched from $repository: is there a network? Or give a tree of it: BUILDROOT=DIR."
    git --git-dir "$into.git" -c tar.umask=0022 archive --format=tar "$commit" >"$into.tar" ||
        fail "$repository does not have the pinned commit $commit."
    found=$(sha256sum <"$into.tar" | cut -d' ' -f1)
    [ "$found" = "$sha256" ] || fail "Buildroot $version from $repository has the SHA-256 $found, and not the pinned $sha256: not used."
    tar -xf "$into.tar" -C "$into"
    rm -rf "$into.tar" "$into.git"
    touch "$into/.checked"
}

# Configures Buildroot for BOARD in the folder OUT.
configure_buildroot() { # BUILDROOT OUT BOARD
    make --no-print-directory -C "$1" O="$2" BR2_EXTERNAL="$root/buildroot" "hookline_$3_defconfig"
}

# Fails unless each line of FILE... stands in CONFIG, and counts them in `lines`. "# X is not set" holds when X is not there.
survived() { # CONFIG FILE...
    local config=$1 file line name lost=()
    lines=0
    for file in "${@:2}"; do
        [ -f "$file" ] || fail "$file: there is no such file."
        while read -r line; do
            case $line in
            '# '*' is not set')
                name=${line#\# }
                name=${name% is not set}
                ! grep -q "^$name=" "$config" || lost+=("$file: $line, but the configuration has $(grep "^$name=" "$config")")
                ;;
            '' | '#'*) continue ;;
            *)
                name=${line%%=*}
                grep -qxF -- "$line" "$config" ||
                    lost+=("$file: $line, but the configuration has $(grep -E "^(# )?$name[= ]" "$config" || echo "no $name: unknown, or its conditions are not met")")
                ;;
            esac
            lines=$((lines + 1))
        done <"$file"
    done
    [ "$lines" -gt 0 ] || fail "$*: there is nothing to prove in these files."
    [ ${#lost[@]} -eq 0 ] || fail "$(printf '%s\n' "Lines that were dropped:" "${lost[@]/#/  }")"
}

# The kernel's name of BOARD's architecture, and the prefix of Debian's compiler for it: none on a machine of the same.
kernel_architecture() {
    local arch
    case $1 in
    x86_64) arch=x86 ;;
    aarch64) arch=arm64 ;;
    *) fail "The kernel's name of the architecture of '$1' is not known here." ;;
    esac
    if [ "$(uname -m)" = "$1" ]; then echo "$arch"; else echo "$arch $1-linux-gnu-"; fi
}

# The Debian package of that compiler.
kernel_compiler() {
    local name=${1/_/-}
    if [ "$(uname -m)" = "$1" ]; then echo gcc; else echo "gcc-$name-linux-gnu"; fi
}

# The kernel fragments of BOARD, as its defconfig names them.
fragments_of() {
    local text
    text=$(setting "buildroot/configs/hookline_$1_defconfig" BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES)
    echo "${text//'$(BR2_EXTERNAL_HOOKLINE_PATH)'/$root/buildroot}"
}

# The kernel's configuration in OUT: its own BASE and the fragments over it, as Buildroot does it.
merge_kernel() { # TREE OUT ARCH CROSS BASE FRAGMENT...
    local tree=$1 out=$2 options=("O=$2" "ARCH=$3" "CROSS_COMPILE=$4") base=$5
    mkdir -p "$out"
    make -s -C "$tree" "${options[@]}" "$base" >"$out/merge.log" 2>&1 &&
        (cd "$tree" && ARCH=$3 CROSS_COMPILE=$4 scripts/kconfig/merge_config.sh -m -O "$out" "$out/.config" "${@:6}") >>"$out/merge.log" 2>&1 &&
        make -s -C "$tree" "${options[@]}" olddefconfig >>"$out/merge.log" 2>&1 ||
        fail "The kernel in $tree cannot be configured: see $out/merge.log."
}
