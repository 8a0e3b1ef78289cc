"""An image on a stick installs itself on the disk of the machine, asked at its console."""

from stand_in import StandIn, partition_table

from conftest import KEPT


def test_a_stick_installs_itself_on_the_disk_of_the_machine(release_a, lines):
    folder = KEPT / "installed"
    (folder / "disk.img").unlink(missing_ok=True)
    installed = StandIn(folder, None, disk_mib=4096)
    stick = StandIn(KEPT / "stick", release_a / "stand-in.img", stick=True)
    target = ("-drive", f"if=none,id=target,format=raw,cache=none,file={installed.disk}", "-device", "virtio-blk-pci,drive=target")
    stick.switch_on(*target, *lines)
    try:
        stick.wait_console(r"INSTALL: +this box runs from a stick", 180)
        stick.wait_console(r"install vda +erases vda: 4 GiB", 30)
        stick.type("install sda\r")
        stick.wait_console("sda is the disk that this box runs from", 60)
        stick.type("install vdz\r")
        stick.wait_console("There is no disk vdz", 60)
        stick.type("install vda\r")
        stick.wait_console("Installed on vda: pull out the stick", 240)
    finally:
        stick.cut_power()
    installed.switch_on(*lines)
    try:
        installed.wait_healthy()
        assert installed.slot() == "A"
        assert "INSTALL" not in installed.console()
        assert int(installed.sh("df -m --output=size /data | tail -n 1")) > 3000
        ids = [{part["uuid"] for part in partition_table(disk)} for disk in (installed.disk, stick.disk)]
        assert not ids[0] & ids[1], "the installed disk has identities of its own"
    finally:
        installed.cut_power()
