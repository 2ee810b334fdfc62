"""Every error that this package raises on purpose, as one tree.

A caller who wants to know whether a failure is ours catches `ProsodyAdminError`. Messages are for
the journal and for whoever starts the daemon; no peer is ever sent one, but for those of
`CommandError`, which are written for the peer.
"""

import errno


class ProsodyAdminError(Exception):
    """The root of the tree."""


# descriptors/


class BadFdError(ProsodyAdminError, OSError):
    """A descriptor number that is not open, or a `File` that is closed already (EBADF)."""

    def __init__(self, fd: int) -> None:
        super().__init__(errno.EBADF, f"descriptor {fd} is not open")
        self.fd = fd


class ReservationError(ProsodyAdminError):
    """A reservation used twice or by another thread, or a file that is lent and cannot move."""


class DeferredFdCloseError(ProsodyAdminError):
    """A descriptor could not be closed later; its two causes are the classes below."""


class TaskWorkUnavailable(DeferredFdCloseError):  # noqa: N818 - the kernel's name for it
    """No event loop is running that could close the descriptor when it comes round."""


class BadFd(DeferredFdCloseError):  # noqa: N818 - the kernel's name for it
    """What was to be closed later is closed already."""


# protocol/


class StanzaError(ProsodyAdminError, ValueError):
    """A stanza that cannot be written as XML: a bad name, or a character XML cannot carry."""


class StreamError(ProsodyAdminError):
    """The peer broke the stream's rules.

    `condition` is a defined condition of RFC 6120, section 4.9.3; `reason` says what happened,
    for the journal only, and never quotes what the peer sent.
    """

    def __init__(self, condition: str, reason: str) -> None:
        super().__init__(f"{condition}: {reason}")
        self.condition = condition
        self.reason = reason


class StreamStateError(ProsodyAdminError):
    """Something was to be sent that the state of the stream does not allow: a bug of the caller."""


# sd/


class ActivationError(ProsodyAdminError):
    """What systemd handed over is not what the units promise, or a path could not be bound."""


class JournalUnavailableError(ProsodyAdminError):
    """The journal does not take records now; of several it took `recorded`, the first ones.

    `hint` says why to the peer that has to wait.
    """

    hint = ""

    def __init__(self, reason: str, recorded: int = 0) -> None:
        super().__init__(reason)
        self.recorded = recorded


class JournalFullError(JournalUnavailableError):
    """The journal has no room to write a record."""

    hint = ": journald has no room to write"


class FdStoreError(ProsodyAdminError):
    """systemd does not take descriptors to keep them."""


# net/


class PeerError(ProsodyAdminError):
    """The kernel cannot say who the peer is, or the peer is gone."""


class KeptSessionError(ProsodyAdminError):
    """What the process before kept of a session does not make one: damaged, or of another peer."""


class UpstreamError(ProsodyAdminError):
    """Prosody's socket cannot be used: not there, refused, closed, silent, or not a Prosody.

    `sent` tells whether a command may have reached Prosody before it failed.
    """

    def __init__(self, reason: str, *, sent: bool = False) -> None:
        super().__init__(reason)
        self.sent = sent


# modules/ and dispatch


class CommandError(ProsodyAdminError):
    """A command that fails for a reason the peer may read: the message becomes its result.

    `failure` is the kind of failure that clients are told (protocol/structured.py), "" for none.
    """

    def __init__(self, message: str, *, failure: str = "") -> None:
        super().__init__(message)
        self.failure = failure


class ModuleError(ProsodyAdminError):
    """A module cannot be found, loaded or unloaded."""


# config.py


class SettingsError(ProsodyAdminError):
    """The settings cannot be used: names the file, the line or key, and what was expected."""


# installation.py


class InstallationError(ProsodyAdminError):
    """The units cannot be put in place: what to install is not there, or where it cannot run."""


# client/


class ClientError(ProsodyAdminError):
    """What goes wrong between a client and the service; messages are for the person at it."""


class UsageError(ClientError):
    """A command line, or a line of a script, that cannot be used: nothing of it ran."""


class ServiceUnreachableError(ClientError):
    """The service, or Prosody behind it, cannot be reached or was lost.

    `sent` tells whether a command may have run all the same.
    """

    def __init__(self, reason: str, *, sent: bool = False) -> None:
        super().__init__(reason)
        self.sent = sent


class CommandFailedError(ClientError):
    """A command ran and failed; the message is its result."""


class CommandRefusedError(ClientError):
    """A command was not allowed to run; the message names the rule and what would be needed."""
