"""`access/offer.py`: what completion shows of a policy."""

from prosody_admin.access.identity import Identity
from prosody_admin.access.offer import offered
from prosody_admin.access.policy import Grant, Policy
from prosody_admin.access.roles import Role
from prosody_admin.shell.catalogue import shipped

OWN = ["admin:commands", "admin:explain", "admin:rights", "admin:whoami"]
ALICE = Identity(pid=1, uid=1000, gid=100, user="alice")


def names(*roles: Role) -> list[str]:
    """Return what is offered to somebody with these roles, but for what everybody may ask."""
    policy = Policy(
        5,
        {role.name: role for role in roles},
        (Grant(tuple(role.name for role in roles), "alice"),),
    )
    found = [f"{command.section}:{command.name}" for command in offered(policy, ALICE)]
    assert found == sorted(found)
    assert {*OWN} <= {*found}
    return [name for name in found if name not in OWN]


def test_root_is_offered_everything() -> None:
    assert len(offered(Policy(5), Identity(1, 0, 0))) == len(shipped())


def test_without_a_role_there_is_only_oneself() -> None:
    assert names(Role("none")) == []


def test_a_denial_takes_away() -> None:
    role = Role("r", allow=("user:*",), deny=("user:delete",))
    assert "user:list" in names(role)
    assert "user:delete" not in names(role)


def test_a_role_with_hosts_is_offered_what_names_a_host() -> None:
    role = Role("r", allow=("user:*", "server:*"), hosts=("*.example.com",))
    assert "user:list" in names(role)
    assert "server:version" not in names(role)
    assert "server:version" in names(Role("r", allow=("server:*",), hosts=("h",), hostless=True))


def test_the_host_stands_where_the_command_has_it() -> None:
    catalogue = shipped().extended({"x": {"y": {"class": "read", "hosts": [2]}}})
    role = Role("r", allow=("x:y",), hosts=("example.com",))
    policy = Policy(5, {"r": role}, (Grant(("r",), "alice"),), catalogue)
    assert ("x", "y") in [(command.section, command.name) for command in offered(policy, ALICE)]
