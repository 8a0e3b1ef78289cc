"""A stand-in of the firmware image through what happens to a box: first start, power cuts, upgrades, disks that fail.

One box, in the order of this file, in as few starts as possible: each takes half a minute in software emulation. A test that
fails leaves the box to the next one, which switches it on if need be.
"""

import random
import re

import pytest
from stand_in import StandIn, data_partition

from conftest import KEPT

SEED = random.SystemRandom().randrange(2**32)
RANDOM = random.Random(SEED)


@pytest.fixture(scope="module")
def power(release_a, lines):
    """The box, off, and how it is switched on."""
    print(f"seed {SEED}")
    stand_in = StandIn(KEPT / "running", release_a / "stand-in.img")
    stand_in.lines = lines
    yield stand_in
    stand_in.cut_power()


@pytest.fixture
def box(power):
    """The box, on and well."""
    if power.qemu is None:
        power.switch_on(*power.lines)
    power.wait_healthy()
    return power


def check_data(box) -> str:
    """What 'hookline check' says of the data folder; the recorder stops for as long."""
    box.sh("systemctl stop hookline.service")
    said = box.sh("/usr/bin/hookline check --data /data/hookline", timeout_s=120, may_fail=True)
    box.sh("systemctl start hookline.service")
    return said


def install(box, bundle) -> str:
    """Gives the box a bundle and installs it. The disk with the bundle is plugged in while the box runs."""
    device = "/dev/disk/by-id/virtio-bundle"
    box.plug_in("bundle", bundle)
    box.wait(lambda: box.sh(f"test -e {device} && echo there", may_fail=True), 30, "the disk with the bundle")
    # A disk has whole sectors, a bundle has not.
    box.sh(f"head -c {bundle.stat().st_size} {device} >/data/upgrade.raucb", timeout_s=120)
    box.unplug("bundle")
    said = box.sh("rauc install /data/upgrade.raucb", timeout_s=300)
    box.sh("rm /data/upgrade.raucb")
    return said


# The first start


def test_the_first_start_comes_up_and_records(box):
    print(f"power on to the recorder being well: {box.on_for_s():.0f} s")
    assert box.release() == "1.0.0-stand-in"
    assert box.slot() == "A"
    box.wait(lambda: "RIFF" in box.sh("head -c 4 $(find /data/hookline/recordings -name '*.wav' | head -n 1) </dev/null", may_fail=True), 120, "a first recording")


def test_the_console_shows_address_serial_and_first_password_until_it_is_changed_and_takes_no_login(box):
    box.wait_console(r"Hookline HKLN-\d{14}\n", 30)
    box.wait_console(r"https://192\.168\.1\.88\n", 30)
    box.wait_console(r"https://10\.0\.2\.15\n", 30)
    box.wait_console(r"https://hookline-HKLN-\d{14}\.local\n", 30)
    password = box.wait_console(r"first login: admin +password: (\S+)", 30)[1]
    said = len(box.console())
    box.type("root\nroot\n")
    box.wait_console(r"Hookline HKLN-\d{14}\n", 30, behind=said)
    assert "ogin incorrect" not in box.console()
    assert "Password:" not in box.console()
    status, session, cookie = box.log_in("admin", password)
    assert status == 200 and session["must_change_password"] is True
    said = len(box.console())
    headers = {"Cookie": cookie, "X-Hookline-CSRF": session["csrf"]}
    status, _ = box.ask("POST", "/password", {"old": password, "new": "a quiet line at 3 in the morning"}, headers, timeout_s=60)
    assert status == 200
    box.wait_console(r"Hookline HKLN-\d{14}\n", 30, behind=said)
    assert "password" not in box.console()[said:]


def test_nobody_can_log_in(box):
    assert box.sh("cut -d: -f7 /etc/passwd | sort -u") == "/usr/sbin/nologin"
    assert box.sh("cut -d: -f2 /etc/shadow | sort -u") == "*"
    assert box.sh("systemctl list-units --no-legend --state=active,activating '*getty*' 'ssh*' '*login@*' 'user@*'") == ""
    listening = box.sh("ss -Htlnp | awk '{ print $4 }' | grep -v '^127\\.'").split()
    # 5355 is systemd-resolved's, which answers it to nobody (LLMNR=no).
    assert {address.rsplit(":", 1)[1] for address in listening} - {"5355"} == {"80", "443"}


def test_the_recorder_has_no_privileges_and_the_root_is_read_only(box):
    assert box.sh("ps -o user= -p $(systemctl show -P MainPID hookline)") == "hookline"
    assert "Read-only file system" in box.sh("touch /usr/bin/x", may_fail=True)
    assert "Read-only file system" in box.sh("touch /etc/x", may_fail=True)
    for unit, most in (("hookline", 2.5), ("hookline-appliance", 3.5)):
        said = box.sh(f"systemd-analyze security --no-pager {unit}.service | tail -n 1")
        exposure = float(re.search(r"([\d.]+) [A-Z]", said)[1])
        assert exposure < most, said


def test_the_journal_lies_on_the_data_partition_which_fills_the_disk(box):
    assert box.sh("find /data/journal -name system.journal")
    assert box.sh("findmnt -no SOURCE -T /var/log/journal").startswith("/dev/vda4[/journal]")
    disk_mib, data_mib = (int(size) // 2**20 for size in box.sh("blockdev --getsize64 /dev/vda /dev/vda4").split())
    assert disk_mib == 2048 and data_mib > 1400
    assert int(box.sh("df -m --output=size /data | tail -n 1")) > 0.9 * data_mib


def test_the_hardware_watchdog_is_armed(box):
    assert box.sh("cat /sys/class/watchdog/watchdog0/identity") == "i6300ESB timer"
    assert box.sh("cat /sys/class/watchdog/watchdog0/state") == "active"


def test_the_box_has_its_name_on_the_network(box):
    serial = box.sh("cat /data/hookline/identity/serial")
    assert box.sh("cat /proc/sys/kernel/hostname") == f"hookline-{serial}"
    assert "+mDNS" in box.sh("resolvectl status eth0")


def test_no_unit_has_failed(box):
    assert box.sh("systemctl --failed --no-legend") == ""


# Power cuts


@pytest.mark.parametrize("cut", [1, 2])
def test_a_power_cut_while_recording_leaves_every_invariant_whole(box, cut):
    machine_id = box.sh("cat /etc/machine-id")
    box.wait_good()
    box.wait(lambda: box.sh("find /data/hookline/capture-log -type f -size +0 | head -n 1", may_fail=True), 60, "an open call")
    box.sh(f"sleep {RANDOM.uniform(0, 5):.2f}")
    box.cut_power()
    box.switch_on(*box.lines)
    box.wait_healthy()
    assert box.slot() == "A"
    assert "every storage invariant holds" in check_data(box)
    box.wait_healthy()
    if cut == 2:
        assert box.sh("cat /etc/machine-id") == machine_id


# Upgrades


def test_an_upgrade_starts_the_other_slot(box, release_b):
    box.wait_good()
    serial = box.sh("cat /data/hookline/identity/serial")
    assert "succeeded" in install(box, release_b / "stand-in.raucb")
    restart(box)
    box.wait_healthy()
    assert (box.slot(), box.release()) == ("B", "1.1.0-stand-in")
    assert box.sh("cat /data/hookline/identity/serial") == serial
    box.wait_good()


def test_an_upgrade_that_does_not_start_ends_by_itself(box, failing_release):
    assert box.slot() == "B"
    assert "succeeded" in install(box, failing_release / "stand-in.raucb")
    restart(box)
    said = len(box.console())
    for number in (1, 2, 3):
        box.wait_console(f"Hookline: slot A, try {number} of 3", 180, behind=said)
    box.wait_console("Hookline: slot B, try 1 of 3", 180, behind=said)
    box.left_behind()
    box.wait_healthy()
    assert (box.slot(), box.release()) == ("B", "1.1.0-stand-in")
    box.wait_good()
    assert "Activated: rootfs.1 (B)" in box.sh("rauc status")


def restart(box) -> None:
    box.sh("systemctl --no-block reboot")
    box.left_behind()
    box.wait(lambda: not box.healthy(), 60, "the recorder to end")


# Disks


def test_a_full_data_partition_does_not_keep_the_box_from_coming_up(box):
    box.sh("fallocate -l $(df -B1 --output=avail /data | tail -n 1) /data/filler; dd if=/dev/zero of=/data/filler2 bs=64k; true", timeout_s=120, may_fail=True)
    box.cut_power()
    box.switch_on(*box.lines)
    box.wait(lambda: box.get("/health"), 150, "the pages to answer")
    assert box.unit("hookline.service") == "active"
    box.sh("rm -f /data/filler /data/filler2")
    box.wait_healthy()


def test_a_data_partition_that_does_not_mount_is_left_as_it_is(box):
    box.wait_good()
    box.cut_power()
    start = data_partition(box.disk)
    with box.disk.open("r+b") as disk:
        disk.seek(start)
        disk.write(b"\x5a" * 65536)
        disk.seek(start)
        before = disk.read(2**20)
    box.switch_on(*box.lines)
    box.wait(lambda: box.get("/health"), 150, "the pages to answer")
    box.wait_console("DATA: +the data partition does not mount: .* the disk is left as it is", 60)
    assert box.unit("hookline.service") == "active"
    assert box.sh("findmnt -no FSTYPE /data") == "tmpfs"
    assert box.sh("findmnt -rno TARGET /dev/vda4", may_fail=True) == ""
    box.cut_power()
    with box.disk.open("rb") as disk:
        disk.seek(start)
        assert disk.read(2**20) == before
