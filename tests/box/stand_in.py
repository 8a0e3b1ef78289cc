"""A stand-in box in QEMU: its disk, its power, its console, and a shell that only the stand-in has (probe.service)."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"
# Tests are written for software emulation; HOOKLINE_BOX_ACCEL=kvm is for whoever waits.
ACCEL = os.environ.get("HOOKLINE_BOX_ACCEL", "tcg,thread=multi")


class Trouble(AssertionError):
    """What the stand-in did not do in time, with the end of its console."""


class StandIn:
    """One stand-in box. Its files lie in `folder`: disk.img, vars.fd, console.log. The image is copied onto its disk; without
    one, the disk is as it is found, or empty. `stick`: the disk is plugged in by USB."""

    def __init__(self, folder: Path, image: Path | None, disk_mib: int = 2048, stick: bool = False):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.disk = folder / "disk.img"
        self.console_log = folder / "console.log"
        if image is not None:
            subprocess.run(["cp", "--sparse=always", image, self.disk], check=True)
        with self.disk.open("ab") as disk:
            disk.truncate(disk_mib * 1024 * 1024)
        self.disk_device = ["qemu-xhci", "usb-storage,removable=on"] if stick else ["virtio-blk-pci"]
        shutil.copy(VARS, folder / "vars.fd")
        self.console_log.write_bytes(b"")
        self.https = free_port()
        self.qemu = None
        self.probe = None
        self.switched_on_at = 0.0
        self.cookie = ""

    def switch_on(self, *more: str) -> None:
        assert self.qemu is None, "it is on already"
        for name in ("probe.sock", "console.sock", "qmp.sock"):
            (self.folder / name).unlink(missing_ok=True)
        arguments = [
            "qemu-system-x86_64", "-M", "q35", "-accel", ACCEL, "-cpu", "Nehalem", "-smp", "2", "-m", "1024",
            "-display", "none", "-monitor", "none", "-nodefaults", "-vga", "none",
            "-drive", f"if=pflash,format=raw,readonly=on,file={CODE}",
            "-drive", f"if=pflash,format=raw,file={self.folder}/vars.fd",
            # What the box has flushed is in the file; a killed QEMU loses the rest as a power cut does.
            "-drive", f"if=none,id=disk,format=raw,cache=none,aio=threads,file={self.disk}",
            "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.https}-:443", "-device", "virtio-net-pci,netdev=net,romfile=",
            "-device", "pcie-root-port,id=port1,slot=1",
            "-device", "virtio-rng-pci", "-device", "i6300esb", "-action", "watchdog=reset",
            "-chardev", f"socket,id=console,path={self.folder}/console.sock,server=on,wait=off,logfile={self.console_log},logappend=on",
            "-serial", "chardev:console",
            "-device", "virtio-serial-pci", "-chardev", f"socket,id=probe,path={self.folder}/probe.sock,server=on,wait=off",
            "-device", "virtserialport,chardev=probe,name=probe",
            "-qmp", f"unix:{self.folder}/qmp.sock,server=on,wait=off",
        ]  # fmt: skip
        *bus, disk = self.disk_device
        for device in (*bus, f"{disk},drive=disk,bootindex=0"):
            arguments += ["-device", device]
        arguments += more
        self.mark = self.console_log.stat().st_size
        self.switched_on_at = time.monotonic()
        self.qemu = subprocess.Popen(arguments, stdin=subprocess.DEVNULL)

    def cut_power(self) -> None:
        """As a pulled plug: what was not flushed is gone."""
        if self.qemu is None:
            return
        self.qemu.kill()
        self.qemu.wait()
        self.qemu = None
        self._leave_probe()

    def left_behind(self) -> None:
        """The box starts again: its console and its shell begin anew."""
        self.mark = self.console_log.stat().st_size
        self._leave_probe()

    def _leave_probe(self) -> None:
        if self.probe is not None:
            self.probe.close()
            self.probe = None

    def on_for_s(self) -> float:
        return time.monotonic() - self.switched_on_at

    # The console

    def console(self) -> str:
        """What the console has said since the power was switched on, without its colours."""
        with self.console_log.open("rb") as log:
            log.seek(self.mark)
            text = log.read().decode("utf-8", "replace")
        return re.sub(r"\x1b\[[0-9;=?]*[A-Za-z]", "", text).replace("\r", "")

    def wait_multi_user(self, timeout_s: float = 150) -> float:
        """Seconds since the power was switched on."""
        self.wait(lambda: "stand-in: multi-user" in self.console(), timeout_s, "multi-user", every_s=0.1)
        return self.on_for_s()

    def type(self, text: str) -> None:
        with socket.socket(socket.AF_UNIX) as console:
            console.connect(str(self.folder / "console.sock"))
            console.sendall(text.encode())
            time.sleep(0.5)

    def wait_console(self, pattern: str, timeout_s: float, behind: int = 0) -> re.Match:
        """Waits for what matches behind the first `behind` characters that were said."""
        found = self.wait(lambda: re.search(pattern, self.console()[behind:]), timeout_s, f"the console to say {pattern!r}")
        return found

    def wait(self, condition, timeout_s: float, what: str, every_s: float = 0.5):
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if (found := condition()):
                return found
            if self.qemu is None or self.qemu.poll() is not None:
                raise Trouble(f"QEMU ended while waiting for {what}:\n{self.console()[-3000:]}")
            time.sleep(every_s)
        raise Trouble(f"waited {timeout_s} s for {what}; the console's end:\n{self.console()[-3000:]}")

    # Disks that come and go (QMP)

    def _qmp(self, execute: str, **arguments) -> None:
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(30)
            monitor.connect(str(self.folder / "qmp.sock"))
            lines = monitor.makefile("rw")
            lines.readline()
            for command in ({"execute": "qmp_capabilities"}, {"execute": execute, "arguments": arguments}):
                lines.write(json.dumps(command) + "\n")
                lines.flush()
                while "return" not in (answer := json.loads(lines.readline())):
                    if "error" in answer:
                        raise Trouble(f"QEMU refuses {execute} {arguments}: {answer['error']['desc']}")

    def plug_in(self, name: str, file: Path) -> None:
        """A disk that the box sees as /dev/disk/by-id/virtio-NAME."""
        file_node = {"driver": "file", "filename": str(file.resolve()), "node-name": f"{name}-file", "read-only": True}
        self._qmp("blockdev-add", **file_node)
        self._qmp("blockdev-add", **{"driver": "raw", "file": f"{name}-file", "node-name": name, "read-only": True})
        self._qmp("device_add", driver="virtio-blk-pci", id=f"{name}-disk", drive=name, serial=name, bus="port1")

    def unplug(self, name: str) -> None:
        self._qmp("device_del", id=f"{name}-disk")
        # The box lets go of it in its own time.
        self.wait(lambda: self._let_go(name), 30, f"the box to let go of the disk {name}")
        self._qmp("blockdev-del", **{"node-name": f"{name}-file"})

    def _let_go(self, name: str) -> bool:
        try:
            self._qmp("blockdev-del", **{"node-name": name})
        except Trouble:
            return False
        return True

    # The pages

    def get(self, path: str):
        """Status and JSON of an open route; None when nobody answers."""
        return self.ask("GET", path)

    def ask(self, method: str, path: str, body=None, headers=None, timeout_s: float = 10):
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.https}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            with urllib.request.urlopen(request, timeout=timeout_s, context=context) as answer:
                self.cookie = (answer.headers.get("Set-Cookie") or "").split(";")[0] or self.cookie
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")
        except (OSError, ValueError):
            return None

    def log_in(self, name: str, password: str):
        """Status, session and the cookie of it."""
        status, session = self.ask("POST", "/login", {"name": name, "password": password}, timeout_s=60)
        return status, session, self.cookie

    def healthy(self) -> bool:
        answer = self.get("/health")
        return answer is not None and answer[0] == 200

    def wait_healthy(self, timeout_s: float = 150) -> float:
        """Seconds since the power was switched on."""
        self.wait(self.healthy, timeout_s, "the pages to say that the recorder is well")
        return self.on_for_s()

    # The shell of the stand-in

    def sh(self, command: str, timeout_s: float = 60, may_fail: bool = False) -> str:
        """Runs a command as root in the box; what it prints. Fails when it fails."""
        if self.probe is None:
            self.probe = socket.socket(socket.AF_UNIX)
            self.probe.connect(str(self.folder / "probe.sock"))
            self._until("ready", "printf 'read%s\\n' y", timeout_s)
        said = self._until("@end", f"{{ {command}\n}} </dev/null; printf '\\n@%s %d\\n' end $?", timeout_s, r"\n@end (\d+)\n")
        text, status = said
        if status != 0 and not may_fail:
            raise Trouble(f"{command!r} failed in the box ({status}): {text}")
        return text

    def _until(self, what: str, line: str, timeout_s: float, pattern: str | None = None):
        until = time.monotonic() + timeout_s
        self.probe.settimeout(1)
        self.probe.sendall(line.encode() + b"\n")
        asked_at = time.monotonic()
        text = ""
        pattern = pattern or what
        while time.monotonic() < until:
            try:
                text += self.probe.recv(65536).decode("utf-8", "replace")
            except TimeoutError:
                # The shell may only now have come up: what was written before is lost.
                if what == "ready" and time.monotonic() - asked_at > 5:
                    self.probe.sendall(line.encode() + b"\n")
                    asked_at = time.monotonic()
            if found := re.search(pattern, text):
                return text[: found.start()].strip(), int(found[1]) if found.groups() else 0
        raise Trouble(f"the shell of the stand-in did not answer {line!r} in {timeout_s} s: {text[-1000:]}")

    def release(self) -> str:
        return re.search(r"VERSION=(\S+)", self.sh("cat /etc/hookline-release"))[1]

    def slot(self) -> str:
        """A or B."""
        return re.search(r"rauc\.slot=(\w)", self.sh("cat /proc/cmdline"))[1]

    def wait_good(self, timeout_s: float = 120) -> None:
        """Until the recorder has marked the slot good that runs, as it does by itself once it has been well for a while."""
        untried = f"{self.slot()}_TRY=0"
        listed = "grub-editenv /efi/grub/grubenv list"
        self.wait(lambda: untried in self.sh(listed).split(), timeout_s, f"{untried} in GRUB's variables")

    def unit(self, name: str, what: str = "ActiveState") -> str:
        return self.sh(f"systemctl show -P {what} {name}")


def free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]


def partition_table(disk: Path) -> list[dict]:
    """The partitions of a disk image, as sfdisk tells them."""
    table = subprocess.run(["sfdisk", "--json", disk], check=True, capture_output=True, text=True).stdout
    return json.loads(table)["partitiontable"]["partitions"]


def data_partition(disk: Path) -> int:
    """Where the data partition of a disk image begins, in bytes."""
    return next(part["start"] * 512 for part in partition_table(disk) if part.get("name") == "data")
