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
    found=$(sed -n 's/^export BR2_VERSION := //p' "$1/Makefile" 2>/dev/null) || true
    [ -n "$found" ] || fail "$1 is no Buildroot tree."
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
                    lost+=("$file: $line, but the configuration has $(grep -E "^(# )?${name}[= ]" "$config" || echo "no $name: unknown, or its conditions are not met")")
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
    # shellcheck disable=SC2016 # Buildroot's variable, not ours
    echo "${text//'$(BR2_EXTERNAL_HOOKLINE_PATH)'/$root/buildroot}"
}

# The kernel's configuration in OUT: its own BASE and the fragments over it, as Buildroot does it.
merge_kernel() { # TREE OUT ARCH CROSS BASE FRAGMENT...
    mkdir -p "$2"
    merge_kernel_steps "$@" >"$2/merge.log" 2>&1 || fail "The kernel in $1 cannot be configured: see $2/merge.log."
}
merge_kernel_steps() (
    tree=$1 out=$2
    export ARCH=$3 CROSS_COMPILE=$4
    make -s -C "$tree" O="$out" "$5" &&
        (cd "$tree" && scripts/kconfig/merge_config.sh -m -O "$out" "$out/.config" "${@:6}") &&
        make -s -C "$tree" O="$out" olddefconfig
)

# Makes the key that development images are signed with, and its certificate.
make_development_key() { # KEY CERTIFICATE SUBJECT
    need_packages openssl
    mkdir -p "$(dirname "$1")"
    say "Making a development key: $1"
    # RAUC asks for a certificate that may sign; ten years, since boxes refuse what was signed with one that has run out.
    (umask 077 && openssl req -x509 -newkey rsa:4096 -nodes -days 3650 -subj "/O=Hookline/CN=$3" -keyout "$1.new" -out "$2" \
        -addext keyUsage=critical,digitalSignature -addext extendedKeyUsage=emailProtection 2>/dev/null) ||
        fail "openssl cannot make a key in $(dirname "$1")."
    mv "$1.new" "$1"
}

# Fails unless KEY and CERTIFICATE belong together, are still good for a year and are not the development key.
signing_key() { # KEY CERTIFICATE SUBJECT
    local subject
    need_packages openssl
    [ -f "$2" ] || fail "The certificate of $1 is missing: it has to lie beside it as $2."
    subject=$(openssl x509 -in "$2" -noout -subject 2>/dev/null) || fail "$2 is no certificate (PEM)."
    [[ $subject != *"$3"* ]] || fail "$1 is a development key: production images are not signed with it."
    [ "$(openssl x509 -in "$2" -noout -pubkey)" = "$(openssl pkey -in "$1" -pubout 2>/dev/null)" ] ||
        fail "$2 is not the certificate of the key $1, or the key has a password."
    openssl x509 -in "$2" -noout -checkend $((365 * 24 * 3600)) >/dev/null ||
        fail "The certificate $2 runs out within a year: boxes would refuse the upgrades after that."
}
