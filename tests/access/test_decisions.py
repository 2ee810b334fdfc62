"""A table of decisions: who may do what with which settings, and by which rule (decisions.toml)."""

import grp
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prosody_admin.access.identity import OVERFLOW_UID, Identity
from prosody_admin.access.policy import Policy
from prosody_admin.access.roles import Request
from prosody_admin.config import load
from prosody_admin.net.accounts import policy_of
from prosody_admin.shell.lines import parse

SERVICE_UID = 107
GROUPS = {"prosody-admin": 990, "support": 991}
"""The groups of the machine that the table is about."""

PEOPLE = {
    "root": Identity(10, uid=0, gid=0, user="root"),
    "prosody": Identity(11, uid=SERVICE_UID, gid=107, user="prosody", login_user="alice"),
    "root outside": Identity(0, uid=0, gid=0, user="root"),
    "prosody outside": Identity(0, uid=SERVICE_UID, gid=107, groups=(990,), user="prosody"),
    "unmapped": Identity(12, uid=OVERFLOW_UID, gid=65534, groups=(990, 991), user="alice"),
    "nameless": Identity(13, uid=4242, gid=4242),
    "alice": Identity(14, uid=1000, gid=1000, user="alice"),
    "bob": Identity(15, uid=1001, gid=1001, groups=(1001, 991), user="bob"),
    "carol": Identity(16, uid=1002, gid=990, user="carol"),
    "dave": Identity(17, uid=1003, gid=1003, groups=(1003, 990), user="dave"),
    "gina": Identity(18, uid=1004, gid=1004, groups=(990, 991), user="gina"),
    # Who logged in as somebody else is not that somebody; nor whose group has root's number.
    "eve": Identity(19, uid=1005, gid=1005, user="eve", login_uid=0, login_user="alice"),
    "wheel": Identity(20, uid=1006, gid=0, groups=(0, SERVICE_UID), user="wheel"),
    "backup": Identity(21, uid=34, gid=34, user="backup"),
    "backup.service": Identity(22, uid=34, gid=34, user="backup", unit="backup.service"),
    "other.service": Identity(23, uid=34, gid=34, user="backup", unit="other.service"),
}

SITES: list[dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("decisions.toml").read_text(encoding="utf-8")
)["site"]


def decisions() -> Iterator[tuple[str, str, str, str, str, str]]:
    """Go through all rows, each with the name and the settings of its site."""
    for site in SITES:
        for who, asked, verdict, rule in site["rows"]:
            yield site["name"], site["settings"], who, asked, verdict, rule


@pytest.fixture
def of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let GROUPS be the groups that exist."""

    def getgrnam(name: str) -> grp.struct_group:
        return grp.struct_group((name, "x", GROUPS[name], []))

    monkeypatch.setattr(grp, "getgrnam", getgrnam)


def policy_from(text: str, directory: Path) -> Policy:
    """Return the policy that the service would have of this text, as it would read it."""
    file = directory / "prosody-admin.toml"
    file.write_text(text, encoding="utf-8")
    return policy_of(load([file]).policy, SERVICE_UID)


def request_for(asked: str, policy: Policy) -> Request:
    """Return what a line asks for, or an event by its name."""
    if asked.startswith("admin/"):
        return Request(asked)
    return Request("admin/repl-input", parse(asked, policy.catalogue))


@pytest.mark.usefixtures("of_this_machine")
@pytest.mark.parametrize(
    ("settings", "who", "asked", "verdict", "rule"),
    [pytest.param(*row[1:], id=f"{row[0]}-{row[2]}-{row[3]}") for row in decisions()],
)
def test_decision(
    tmp_path: Path, settings: str, who: str, asked: str, verdict: str, rule: str
) -> None:
    policy = policy_from(settings, tmp_path)
    found = policy.authorise(PEOPLE[who], request_for(asked, policy))
    assert ("allowed" if found.allowed else "refused", found.rule) == (verdict, rule)
    assert bool(found.needed) is not found.allowed, "a refusal says what would be needed"


def test_the_table_has_no_row_twice_and_at_least_200() -> None:
    questions = [(site, who, asked) for site, _, who, asked, _, _ in decisions()]
    assert len(set(questions)) == len(questions) >= 200


def test_everybody_is_in_the_table() -> None:
    assert {who for _, _, who, *_ in decisions()} == set(PEOPLE)
