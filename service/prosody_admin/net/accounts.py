"""From the names that a site's settings have to the accounts and groups of this machine."""

import grp
import logging
import os
import pwd

from prosody_admin.access.identity import Identity
from prosody_admin.access.policy import Grant, Policy
from prosody_admin.access.settings import PolicySettings

log = logging.getLogger(__name__)


def policy_of(settings: PolicySettings, service_uid: int) -> Policy:
    """Return the policy of a service that runs as `service_uid`; groups are looked up now.

    A group that does not exist has no members; that is logged, and no error, for the shipped
    settings name one that a machine may not have.
    """
    grants = tuple(_grant(subject, roles) for subject, roles in settings.grants.items())
    return Policy(service_uid, settings.roles, grants, settings.catalogue)


def identity_of(name: str | None) -> Identity | None:
    """Return an account as if a process of it had connected, None if there is none of this name.

    Without a name, the account that this process runs as.
    """
    try:
        account = pwd.getpwuid(os.getuid()) if name is None else pwd.getpwnam(name)
    except KeyError:
        return None
    groups = os.getgrouplist(account.pw_name, account.pw_gid)
    return Identity(os.getpid(), account.pw_uid, account.pw_gid, tuple(groups), account.pw_name)


def _grant(subject: str, roles: tuple[str, ...]) -> Grant:
    if subject.startswith("%"):
        return Grant(roles, gid=_gid(subject[1:]))
    if subject.startswith("unit:"):
        return Grant(roles, unit=subject.removeprefix("unit:"))
    return Grant(roles, user=subject)


def _gid(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        log.debug("group %s, which roles are granted to, does not exist", name)
        return None
