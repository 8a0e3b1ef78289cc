"""What the tests of the stand-in run on: its images, made once from the binary that is tested."""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOP = HERE.parent.parent
KEPT = TOP / "target/box"
BINARY = Path(os.environ.get("HOOKLINE_BINARY", TOP / "target/release/hookline"))
# Lines of the demo that the stand-in records: an emulated processor has no time for more.
PORTS = 4


def newest(*paths: Path) -> float:
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return max(file.lstat().st_mtime for file in files)


def made(name: str, binary: Path, version: str) -> Path:
    """The folder with a stand-in's files, made again when anything that goes into it has changed."""
    folder = KEPT / name
    bundle = folder / "stand-in.raucb"
    sources = (binary, TOP / "board/common", TOP / "board/x86_64", HERE / "make-base", HERE / "make-stand-in", HERE / "overlay")
    if not bundle.exists() or bundle.stat().st_mtime < newest(*sources):
        subprocess.run([HERE / "make-stand-in", binary, version, folder, HERE / "overlay"], check=True, cwd=TOP)
    return folder


def scenario_disk() -> Path:
    """The first lines of the demo, as a disk."""
    disk = KEPT / "scenario.squashfs"
    if not disk.exists():
        whole, cut = KEPT / "demo", KEPT / "scenario"
        if not (whole / "scenario.toml").exists():
            subprocess.run([TOP / "scripts/demo-scenario", whole], check=True, cwd=TOP)
        cut.mkdir(exist_ok=True)
        head, *channels = (whole / "scenario.toml").read_text().split("[[unit.channel]]")
        kept = channels[:PORTS]
        (cut / "scenario.toml").write_text("[[unit.channel]]".join([head, *kept]))
        for file in whole.iterdir():
            if f'"{file.name}"' in "".join(kept):
                (cut / file.name).unlink(missing_ok=True)
                os.link(file, cut / file.name)
        subprocess.run(["mksquashfs", cut, disk, "-all-root", "-noappend", "-quiet", "-no-progress"], check=True)
    return disk


@pytest.fixture(scope="session")
def release_a() -> Path:
    return made("a", BINARY, "1.0.0-stand-in")


@pytest.fixture(scope="session")
def release_b() -> Path:
    return made("b", BINARY, "1.1.0-stand-in")


@pytest.fixture(scope="session")
def failing_release() -> Path:
    return made("failing", HERE / "programs/failing", "1.2.0-stand-in")


@pytest.fixture(scope="session")
def lines() -> tuple[str, ...]:
    """What QEMU is given for the box to have lines to record."""
    disk = scenario_disk()
    return ("-drive", f"if=none,id=lines,format=raw,readonly=on,file={disk}", "-device", "virtio-blk-pci,drive=lines")
