"""Which slot GRUB starts, by its variables: only the first seconds of a start."""

import subprocess

import pytest
from stand_in import StandIn

from conftest import KEPT

# The boot partition is the first: see board/common/genimage.cfg.in.
BOOT_AT = "1M"
NONE_GOOD = "no slot was marked good in three tries; slot A"


@pytest.mark.parametrize(
    ("variables", "said", "tries"),
    [
        ("ORDER=A B,A_OK=1,A_TRY=0,B_OK=0,B_TRY=0", "slot A, try 1 of 3", "1 0"),
        ("ORDER=B A,A_OK=1,A_TRY=0,B_OK=1,B_TRY=2", "slot B, try 3 of 3", "0 3"),
        ("ORDER=B A,A_OK=1,A_TRY=0,B_OK=1,B_TRY=3", "slot A, try 1 of 3", "1 3"),
        ("ORDER=B A,A_OK=1,A_TRY=0,B_OK=0,B_TRY=0", "slot A, try 1 of 3", "1 0"),
        # The older one, which is preferred less, and never one that holds nothing.
        ("ORDER=B A,A_OK=1,A_TRY=3,B_OK=1,B_TRY=3", NONE_GOOD, "3 3"),
        ("ORDER=A B,A_OK=1,A_TRY=3,B_OK=0,B_TRY=0", NONE_GOOD, "3 0"),
    ],
)
def test_each_slot_has_three_tries(release_a, variables, said, tries):
    box = StandIn(KEPT / "slots", release_a / "stand-in.img")
    environment = box.folder / "grubenv"
    partition = f"{box.disk}@@{BOOT_AT}"
    subprocess.run(["mcopy", "-o", "-i", partition, "::grub/grubenv", environment], check=True)
    subprocess.run(["grub-editenv", environment, "set", *variables.split(",")], check=True)
    subprocess.run(["mcopy", "-o", "-i", partition, environment, "::grub/grubenv"], check=True)
    box.switch_on()
    try:
        box.wait(lambda: said in box.console(), 60, f"GRUB to say {said!r}")
    finally:
        box.cut_power()
    subprocess.run(["mcopy", "-o", "-i", partition, "::grub/grubenv", environment], check=True)
    kept = dict(line.split("=", 1) for line in subprocess.check_output(["grub-editenv", environment, "list"], text=True).splitlines())
    assert f"{kept['A_TRY']} {kept['B_TRY']}" == tries
