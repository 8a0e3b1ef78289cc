#!/usr/bin/env python3
"""Adds what is compiled into the daemon to Buildroot's list of what is in an image (CycloneDX, standard input to output).

Buildroot knows the daemon as one package. Its crates come from `cargo tree` for the board's processor, with the hashes of
Cargo.lock; the packages of its pages from webui/package-lock.json, without those that only serve development.
"""

import base64
import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def crates(board):
    """A component for each crate of other people that the daemon is made of on this board."""
    made = subprocess.run(
        ["cargo", "tree", "--locked", "--package", "hookline", "--edges", "normal", "--prefix", "none",
         "--target", f"{board}-unknown-linux-gnu", "--format", "{p}|{l}"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if made.returncode != 0:
        sys.exit("cargo does not say what the daemon is made of: see above.")
    licences = {}
    for line in made.stdout.splitlines():
        package, _, licence = line.partition("|")
        name, version = package.split()[:2]
        licences[name, version.removeprefix("v")] = licence.removesuffix(" (*)")
    for crate in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]:
        licence = licences.get((crate["name"], crate["version"]))
        if licence is not None and "checksum" in crate:
            yield component("cargo", crate["name"], crate["version"], licence, "SHA-256", crate["checksum"])


def page_packages():
    """A component for each package of npm that the pages are built with, other than tools of development."""
    lock = json.loads((ROOT / "webui/package-lock.json").read_text())
    for path, package in lock["packages"].items():
        if path and not package.get("dev") and not package.get("optional"):
            name = path.rpartition("node_modules/")[2]
            kind, _, digest = package["integrity"].partition("-")
            yield component("npm", name, package["version"], package.get("license", ""),
                            kind.replace("sha", "SHA-"), base64.b64decode(digest).hex())


def component(kind, name, version, licence, algorithm, digest):
    reference = f"pkg:{kind}/{name.replace('@', '%40')}@{version}"
    made = {"bom-ref": reference, "type": "library", "name": name, "version": version, "purl": reference,
            "hashes": [{"alg": algorithm, "content": digest}]}
    if licence:
        made["licenses"] = [{"expression": licence.replace("/", " OR ")}]
    return made


def main():
    board = sys.argv[1]
    bom = json.load(sys.stdin)
    if not any(part["name"] == "hookline" for part in bom["components"]):
        sys.exit("The list has no hookline: was it made for an image of a box?")
    added = {part["bom-ref"]: part for part in [*crates(board), *page_packages()]}
    bom["components"] += added.values()
    # Buildroot's entry for the daemon hangs on what was added.
    for entry in bom["dependencies"]:
        if entry["ref"] == "hookline":
            entry.setdefault("dependsOn", []).extend(added)
    json.dump(bom, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
