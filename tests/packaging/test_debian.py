"""The Debian package belongs to this version of the project."""

import re
import tomllib
from pathlib import Path

from prosody_admin import __version__

ROOT = Path(__file__).parents[2]
DEBIAN = ROOT / "packaging" / "debian"


def test_there_is_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changelog = (DEBIAN / "changelog").read_text(encoding="utf-8")
    found = re.match(r"prosody-admin \((.*)\)", changelog)
    assert found is not None
    assert {found[1], project["version"], __version__} == {__version__}


def test_the_licence_is_that_of_the_project() -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8").partition("\n\n")[2]
    holder, _, terms = licence.partition("\n\n")
    stated = (DEBIAN / "copyright").read_text(encoding="utf-8")
    assert f"Copyright: {holder.removeprefix('Copyright (c) ')}\n" in stated
    assert " ".join(terms.split()) in " ".join(stated.replace("\n .\n", "\n").split())


def test_its_units_are_those_of_the_project() -> None:
    for name in ("prosody-admin.service", "prosody-admin.socket"):
        assert (DEBIAN / name).resolve() == ROOT / "units" / name
