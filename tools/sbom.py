"""`make sbom`: what the software is made of, as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/).

Every package of requirements.lock with its version, package URL, SHA-256 hashes (of all files that may be installed)
and the licence that its own metadata states; where a package isn't installed on this machine (it is for another one),
the licence is left out. The same lock gives the same file, byte for byte. What npm brings for the console comes from
package-lock.json in the same way.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent
LOCK, NPM_LOCK = TOP / "requirements.lock", TOP / "package-lock.json"
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def pinned(lock: str) -> Iterator[tuple[str, str, list[str]]]:
    """(name, version, SHA-256 of each file) of every package of a lock of pip's."""
    name = version = ""
    hashes: list[str] = []
    for line in lock.splitlines():
        if found := _PIN.match(line):
            if name:
                yield name, version, hashes
            (name, version), hashes = found.groups(), []
        hashes += _HASH.findall(line)
    if name:
        yield name, version, hashes


def licence_of(name: str) -> dict[str, Any] | None:
    """As the package states it: an SPDX expression, or words; None where it isn't installed or says nothing."""
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    for expression in said.get_all("License-Expression") or ():
        return {"expression": expression}
    classes = [
        one.rpartition(" :: ")[2] for one in said.get_all("Classifier") or () if one.startswith("License ::")
    ]
    stated = "".join(said.get_all("License") or ()).strip()
    words = "; ".join(classes) or stated.partition("\n")[0]
    return {"license": {"name": words}} if words else None


def components() -> Iterator[dict[str, Any]]:
    """One for each package, Python's first."""
    for name, version, hashes in pinned(LOCK.read_text(encoding="utf-8")):
        normal = re.sub(r"[-_.]+", "-", name).lower()
        one: dict[str, Any] = _component(f"pkg:pypi/{normal}@{version}", name, version)
        one["hashes"] = [{"alg": "SHA-256", "content": content} for content in hashes]
        if licence := licence_of(name):
            one["licenses"] = [licence]
        yield one
    packages = json.loads(NPM_LOCK.read_text(encoding="utf-8"))["packages"]
    for path, said in sorted(packages.items()):
        if not path or said.get("dev"):
            continue
        name = path.rpartition("node_modules/")[2]
        one = _component(f"pkg:npm/{name.replace('@', '%40')}@{said['version']}", name, said["version"])
        algorithm, _, digest = str(said.get("integrity", "")).partition("-")
        if algorithm == "sha512":
            one["hashes"] = [{"alg": "SHA-512", "content": base64.b64decode(digest).hex()}]
        if said.get("license"):
            one["licenses"] = [{"expression": said["license"]}]
        yield one


def _component(purl: str, name: str, version: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "purl": purl, "name": name, "version": version}


def document() -> dict[str, Any]:
    """The whole bill of materials."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    made_of = list(components())
    content = json.dumps(made_of, sort_keys=True)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": project["name"],
                "name": project["name"],
                "version": project.get("version", "0"),
            }
        },
        "components": made_of,
        "dependencies": [{"ref": project["name"], "dependsOn": [one["bom-ref"] for one in made_of]}],
    }


def main() -> int:
    """Write it; 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=TOP / "var" / "sbom.json")
    to: Path = parser.parse_args().to
    to.parent.mkdir(parents=True, exist_ok=True)
    made = document()
    to.write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{to}: {len(made['components'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
