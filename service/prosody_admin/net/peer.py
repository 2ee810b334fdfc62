"""Who is on the other end of an accepted connection: asked of the kernel, once."""

import os
import pwd
import re
import select
from pathlib import Path

from prosody_admin.access.identity import Identity
from prosody_admin.descriptors import Credential, File
from prosody_admin.errors import PeerError
from prosody_admin.protocol.stanza import sanitised

NO_LOGIN = 2**32 - 1
"""What `/proc/PID/loginuid` holds for a process that descends from no login (pam_loginuid(8))."""

STATUS_BYTES = 4096
"""More than `/proc/PID/status` has up to the uids: before them are the name and seven numbers."""

_STATUS_UID = re.compile(rb"^Uid:\t\d+\t(\d+)", re.MULTILINE)
_UNIT = re.compile(r"[^/]+\.(?:service|scope|socket|mount|swap)")


class Peer:
    """The identity of a peer and, where the kernel has them, a pidfd of its process.

    Whoever holds a Peer owns the pidfd and closes it. `gone` says that there was one, and that the
    kernel does not know the process any more.
    """

    __slots__ = ("_ended", "gone", "identity", "pidfd")

    def __init__(self, identity: Identity, pidfd: File | None, *, gone: bool = False) -> None:
        self.identity = identity
        self.pidfd = pidfd
        self.gone = gone
        self._ended: select.poll | None = None

    def is_what_it_was(self, proc: str = "/proc") -> bool:
        """Return whether the process is still there, and still of the account that connected.

        Without a pidfd (before Linux 6.5) nobody can tell, and it is taken for granted.
        """
        if self.pidfd is None:
            return not self.gone
        try:
            uid = _effective_uid(f"{proc}/{self.identity.pid}", self.identity.uid)
        except OSError:  # gone, or at the limit of descriptors: the pidfd knows
            uid = self.identity.uid
        if self._ended is None:
            self._ended = _end_of(self.pidfd)
        return uid == self.identity.uid and not self._ended.poll(0)

    def close(self) -> None:
        """Close the pidfd."""
        if self.pidfd is not None:
            self.pidfd.close()


def identify(connection: File, proc: Path = Path("/proc")) -> Peer:
    """Ask the kernel who connected (SO_PEERCRED, SO_PEERGROUPS and SO_PEERPIDFD of unix(7)).

    What is read of `/proc/PID` is kept only if the process was still alive afterwards, or it
    could be another one's with the same number. The account's name comes from the name service,
    which may take its time where that is not this machine's own files.

    Raises PeerError when the kernel does not tell, which leaves nobody to give rights to.
    """
    try:
        credential = connection.cred()
    except OSError as error:
        raise PeerError(f"the kernel does not say who the peer is: {error.strerror}") from error
    login_uid, unit = _of_living_process(credential, proc)
    identity = Identity(
        pid=credential.pid,
        uid=credential.uid,
        gid=credential.gid,
        groups=credential.groups or (),
        user=_user_name(credential.uid),
        login_uid=login_uid,
        login_user=None if login_uid is None else _user_name(login_uid),
        unit=unit,
    )
    return Peer(identity, credential.pidfd)


def _of_living_process(credential: Credential, proc: Path) -> tuple[int | None, str | None]:
    """Read login uid and unit of a process that a pidfd pins; of any other, nothing."""
    if credential.pidfd is None or credential.pid == 0:
        return None, None
    directory = proc / str(credential.pid)
    found = _login_uid(directory), _unit(directory)
    if _end_of(credential.pidfd).poll(0):
        return None, None  # what was read may be a stranger's
    return found


def _end_of(process: File) -> select.poll:
    """Return what says whether a process has ended: a pidfd is readable then (pidfd_open(2)).

    A signal 0 would still reach a zombie, which its parent may keep as long as it likes.
    """
    ended = select.poll()  # not select(2), which takes no number above 1023
    with process.borrow() as pidfd:
        ended.register(pidfd, select.POLLIN)
    return ended


def _effective_uid(directory: str, expected: int) -> int | None:
    """Return the effective uid of a process. Raises OSError if it is gone.

    Its directory belongs to it, which is cheap to ask, but to root where its memory may not be
    dumped (proc_pid(5)); `status` says it either way.
    """
    if expected != 0 and os.stat(directory).st_uid == expected:
        return expected
    status = os.open(f"{directory}/status", os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = _STATUS_UID.search(os.read(status, STATUS_BYTES))
    finally:
        os.close(status)
    return int(found[1]) if found else None


def _login_uid(directory: Path) -> int | None:
    """Read the uid of the login that a process descends from; None without one."""
    try:
        login_uid = int((directory / "loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):  # the process is gone, or the kernel has no audit
        return None
    return None if login_uid == NO_LOGIN else login_uid


def _unit(directory: Path) -> str | None:
    """Read the unit of the system that a process is in, from its control group (cgroups(7)).

    It is the outermost one: below it, in what systemd delegated, whoever it was delegated to names
    groups as they like.
    """
    try:
        groups = (directory / "cgroup").read_bytes().decode("utf-8", "replace")
    except OSError:
        return None
    for line in groups.split("\n"):  # of all that ends lines, what no name of a group has
        if line.startswith("0::"):
            for part in line[3:].split("/"):
                if not part.endswith(".slice") and part:
                    return sanitised(part) if _UNIT.fullmatch(part) else None
    return None


def _user_name(uid: int) -> str | None:
    try:
        return sanitised(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return None
