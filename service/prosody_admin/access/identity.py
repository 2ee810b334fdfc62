"""Who the peer is, as the kernel told it when the connection was accepted."""

from dataclasses import dataclass

OVERFLOW_UID = 65534
"""What user_namespaces(7) shows for a uid that is not mapped: it could be anybody."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The peer of one session; a value, read once at accept and never changed.

    `pid`, `uid` and `gid` are those of SO_PEERCRED (unix(7)): of the moment of connect.
    `groups` are the supplementary groups. The rest is information, never authority, and None
    where it is not known: the account's name, the uid of the login the process descends from
    (`/proc/PID/loginuid`) and its name, and the systemd unit whose control group it is in.
    """

    pid: int
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    user: str | None = None
    login_uid: int | None = None
    login_user: str | None = None
    unit: str | None = None

    @property
    def known(self) -> bool:
        """Whether this is a process and an account that this machine can name.

        Pid 0 is a process outside our pid namespace, the overflow uid one outside our user
        namespace: neither is anybody.
        """
        return self.pid != 0 and self.uid != OVERFLOW_UID

    def __str__(self) -> str:
        """Return the account for people: its name and number."""
        return f"{self.user} (uid {self.uid})" if self.user else f"uid {self.uid}"
