"""The bill of materials: every package of the locks, as CycloneDX describes them."""

from __future__ import annotations

import re

from tests.conftest import TOP
from tools import sbom


def test_every_package_of_the_lock_is_listed_with_version_hashes_and_licence() -> None:
    made = sbom.document()
    listed = {one["purl"]: one for one in made["components"]}
    pins = re.findall(r"^([\w.-]+)(?:\[.*?\])?==(\S+)", (TOP / "requirements.lock").read_text(), re.MULTILINE)
    assert len(pins) > 30
    for name, version in pins:
        one = listed[f"pkg:pypi/{name.lower().replace('_', '-').replace('.', '-')}@{version}"]
        assert one["version"] == version
        assert one["hashes"], name
        assert all(re.fullmatch("[0-9a-f]{64}", h["content"]) for h in one["hashes"])
    without = [one["name"] for one in made["components"] if "licenses" not in one]
    assert len(without) < len(pins) / 10, f"no licence known: {without}"
    assert any(purl.startswith("pkg:npm/htmx.org@") for purl in listed)
    assert not any("axe-core" in purl for purl in listed)  # of tests alone


def test_it_is_a_document_of_cyclonedx_and_the_same_each_time() -> None:
    made = sbom.document()
    assert (made["bomFormat"], made["specVersion"], made["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", made["serialNumber"])
    refs = [one["bom-ref"] for one in made["components"]]
    assert len(refs) == len(set(refs))
    assert made["dependencies"][0]["dependsOn"] == refs
    assert sbom.document() == made
