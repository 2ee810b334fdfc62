"""The settings file that packages bring: all of it is a comment, and says how things are."""

import re
import tomllib
from pathlib import Path

from prosody_admin.config import Settings, load, reference

SHIPPED = Path(__file__).parents[2] / "packaging" / "prosody-admin.toml"
COMMENTED = re.compile(r'^#(?=[a-z"])', re.MULTILINE)
"""What is before a setting that is a comment; before words there is a space as well."""


def test_as_it_is_it_changes_nothing() -> None:
    assert load([SHIPPED]) == Settings()
    assert not any(tomllib.loads(SHIPPED.read_text(encoding="utf-8")).values())


def test_each_of_its_settings_is_the_default(tmp_path: Path) -> None:
    in_force = tmp_path / "settings.toml"
    in_force.write_text(COMMENTED.sub("", SHIPPED.read_text(encoding="utf-8")), encoding="utf-8")
    assert load([in_force]) == Settings()


def test_no_setting_is_missing() -> None:
    shown = tomllib.loads(COMMENTED.sub("", SHIPPED.read_text(encoding="utf-8")))
    assert shown | tomllib.loads(reference()) == shown


def test_its_example_is_valid(tmp_path: Path) -> None:
    example = tmp_path / "example.toml"
    lines = SHIPPED.read_text(encoding="utf-8").partition("those below:\n")[2].splitlines()
    example.write_text("\n".join(line.removeprefix("#") for line in lines if line != "[roles]"))
    assert load([example]).policy.grants["alice"] == ("helpdesk",)
