"""The first policy: root and the service's own user may do everything, others ask who they are."""

from dataclasses import replace

import pytest

from prosody_admin.access.identity import OVERFLOW_UID, Identity
from prosody_admin.access.policy import Policy
from prosody_admin.shell.lines import Call, Help, Line, RawLua, parse

SERVICE_UID = 107
ALICE = Identity(pid=4711, uid=1000, gid=1000, user="alice")
POLICY = Policy(SERVICE_UID)

ANYTHING = [
    Call("user", "list", ("example.com",)),
    Call("admin", "close", ("1234",)),
    Call("admin", "sessions"),
    Call("admin", "whoami", ("me",)),
    Call("adm\N{LATIN SMALL LETTER DOTLESS I}n", "whoami"),
    Help(),
    Help("user"),
    RawLua(),
    None,
]
FOR_EVERYBODY = [Call("admin", "whoami"), Help("admin")]


@pytest.mark.parametrize("line", [*ANYTHING, *FOR_EVERYBODY])
@pytest.mark.parametrize(("uid", "rule"), [(0, "root"), (SERVICE_UID, "service-user")])
def test_root_and_the_service_user_may_do_everything(
    line: Line | None, uid: int, rule: str
) -> None:
    verdict = POLICY.authorise(replace(ALICE, uid=uid), line)
    assert (verdict.allowed, verdict.rule) == (True, rule)


@pytest.mark.parametrize("line", FOR_EVERYBODY)
def test_everybody_may_ask_who_they_are(line: Line) -> None:
    verdict = POLICY.authorise(ALICE, line)
    assert (verdict.allowed, verdict.rule) == (True, "everybody")


@pytest.mark.parametrize("line", ANYTHING)
def test_everybody_else_may_do_nothing_else(line: Line | None) -> None:
    verdict = POLICY.authorise(ALICE, line)
    assert (verdict.allowed, verdict.rule) == (False, "default")
    assert "root" in verdict.needed


@pytest.mark.parametrize("line", [*ANYTHING, *FOR_EVERYBODY])
@pytest.mark.parametrize(
    "nobody", [replace(ALICE, pid=0, uid=0), replace(ALICE, uid=OVERFLOW_UID)]
)
def test_a_peer_that_this_machine_cannot_name_may_do_nothing(
    line: Line | None, nobody: Identity
) -> None:
    verdict = POLICY.authorise(nobody, line)
    assert (verdict.allowed, verdict.rule) == (False, "unknown-peer")


@pytest.mark.parametrize(
    "text",
    [
        "admin:whoami() os.exit()",
        "admin:whoami();",
        "admin:whoami() -- ",
        "admin:whoami()--[[ ]]",
        "admin:whoami(os.exit())",
        "admin:whoami{}",
        'admin:whoami""',
        "admin.whoami()",
        "help admin; os.exit()",
        "help admin\n",
        ">admin:whoami()",
        '{"admin", "whoami", ":os.exit()"}',
        '{"admin", "whoami", "--x"}',
        '{"admin", "whoami"}, os.exit()',
        "do admin:whoami() end",
        "a=1 return admin:whoami()",
        "\xa0admin:whoami()",
        "admin:whoami()\x85",
    ],
)
def test_no_disguise_passes_for_what_everybody_may(text: str) -> None:
    assert not POLICY.authorise(ALICE, parse(text)).allowed
