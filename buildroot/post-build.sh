#!/usr/bin/env bash
# Buildroot calls it on the finished root: board/common/make-rootfs makes it the root of a box, as it does the stand-in's.
#   post-build.sh ROOT BOARD      with HOOKLINE_VERSION and HOOKLINE_CERTIFICATE, which scripts/image sets
set -euo pipefail
root=$1 board=$2
: "${HOOKLINE_VERSION:?is not set: build with scripts/image $board}"
: "${HOOKLINE_CERTIFICATE:?is not set: build with scripts/image $board}"

# The kernel lies in the root, so that an upgrade exchanges both or none.
for kernel in bzImage Image; do
    if [ -e "$BINARIES_DIR/$kernel" ]; then install -D -m 0644 "$BINARIES_DIR/$kernel" "$root/boot/kernel"; fi
done

# Of GRUB's tools RAUC needs one; its modules are in the boot partition's GRUB.
find "$root"/{bin,sbin,usr/bin,usr/sbin}/ -maxdepth 1 -name 'grub-*' ! -name grub-editenv -delete
rm -rf "$root"/{lib,usr/lib}/grub "$root/etc/grub.d" "$root/usr/share/grub" "$root/boot/grub"

"$(dirname "$0")/../board/common/make-rootfs" "$root" "$board" --version "$HOOKLINE_VERSION" --keyring "$HOOKLINE_CERTIFICATE"

# Root's shell, unmasked again, on whatever console the kernel has.
development=$root/usr/lib/systemd/system/hookline-development-shell.service
rm -f "$development" "$root/etc/systemd/system/multi-user.target.wants/hookline-development-shell.service"
if grep -qx BR2_PACKAGE_HOOKLINE_DEVELOPMENT=y "$BR2_CONFIG"; then
    cat >"$development" <<'UNIT'
[Unit]
Description=Root's shell on the serial console, of a development image
Conflicts=hookline-console.service

[Service]
ExecStart=-/bin/sh -l
Environment=HOME=/root TERM=vt100
StandardInput=tty-force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
Restart=always
UNIT
    ln -sf "${development#"$root"}" "$root/etc/systemd/system/multi-user.target.wants/"
fi
