#!/usr/bin/env bash
# Buildroot calls it on the finished file systems: disk image and signed upgrade bundle, by the scripts of board/common.
#   post-image.sh IMAGES BOARD    with HOOKLINE_VERSION, HOOKLINE_CERTIFICATE and HOOKLINE_KEY, which scripts/image sets
set -euo pipefail
images=$1 board=$2
common=$(dirname "$0")/../board/common
: "${HOOKLINE_VERSION:?is not set: build with scripts/image $board}"
: "${HOOKLINE_CERTIFICATE:?is not set: build with scripts/image $board}"
: "${HOOKLINE_KEY:?is not set: build with scripts/image $board}"
# shellcheck source=/dev/null
source "$common/../$board/meta"
name=$images/hookline-$board-$HOOKLINE_VERSION

# GRUB with the modules of the box, to look for its files where make-image puts them.
mapfile -t modules <"$common/grub/modules"
grub-mkimage --directory "$(echo "$BUILD_DIR"/grub2-*/build-*/grub-core)" --format "$BOARD_GRUB_FORMAT" --prefix /grub \
    --output "$images/grub.efi" "${modules[@]}"

"$common/make-image" "$board" --root "$images/rootfs.squashfs" --grub "$images/grub.efi" --firmware "$images" --out "$name.img"
"$common/make-bundle" "$board" --root "$images/rootfs.squashfs" --version "$HOOKLINE_VERSION" \
    --cert "$HOOKLINE_CERTIFICATE" --key "$HOOKLINE_KEY" --out "$name.raucb"
