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
    """One stand-in box. Its files lie in `folder`: disk.img, vars.fd, console.log."""

    def __init__(self, folder: Path, image: Path, disk_mib: int = 2048):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.disk = folder / "disk.img"
        self.console_log = folder / "console.log"
        subprocess.run(["cp", "--sparse=always", image, self.disk], check=True)
        os.truncate(self.disk, disk_mib * 1024 * 1024)
        shutil.copy(VARS, folder / "vars.fd")
        self.console_log.write_bytes(b"")
        self.https = free_port()
        self.qemu = None
        self.probe = None
        self.switched_on_at = 0.0

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
            "-device", "virtio-blk-pci,drive=disk,bootindex=0",
            "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.https}-:443", "-device", "virtio-net-pci,netdev=net,romfile=",
            "-device", "virtio-rng-pci", "-device", "i6300esb", "-action", "watchdog=reset",
            "-chardev", f"socket,id=console,path={self.folder}/console.sock,server=on,wait=off,logfile={self.console_log},logappend=on",
            "-serial", "chardev:console",
            "-device", "virtio-serial-pci", "-chardev", f"socket,id=probe,path={self.folder}/probe.sock,server=on,wait=off",
            "-device", "virtserialport,chardev=probe,name=probe",
            "-qmp", f"unix:{self.folder}/qmp.sock,server=on,wait=off",
            *more,
        ]  # fmt: skip
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
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")
        except (OSError, ValueError):
            return None

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

    def unit(self, name: str, what: str = "ActiveState") -> str:
        return self.sh(f"systemctl show -P {what} {name}")


def free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]
