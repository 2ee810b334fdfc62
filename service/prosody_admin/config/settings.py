"""The settings, as frozen dataclasses: the one table of all keys.

Each key has its default, its kind with bounds, and what it is for. Checking and the reference that
people read are made from it (`files`).
"""

from dataclasses import dataclass, field
from pathlib import Path

from prosody_admin.access.settings import PolicySettings
from prosody_admin.config.kinds import (
    MODULE_NAMES,
    SOCKET_PATH,
    YES_OR_NO,
    choice,
    count,
    seconds,
    setting,
)


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The life of the service as a whole."""

    idle_timeout: float = setting(
        60.0,
        seconds(1, 86400, zero="never"),
        "Without a session for this long, the service exits; the next connection starts it again.",
    )
    drain_timeout: float = setting(
        10.0, seconds(0, 300), "When the service stops, what runs gets this long to finish."
    )
    log_level: str = setting(
        "info",
        choice("debug", "info", "warning", "error"),
        "The least important messages to log. Sessions and commands are recorded at any level.",
    )


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """What one peer, and all of them together, may take."""

    sessions: int = setting(64, count(1, 4096, "sessions"), "Sessions at the same time, in all.")
    sessions_per_uid: int = setting(
        16, count(1, 4096, "sessions"), "Sessions at the same time of one user."
    )
    pending_commands: int = setting(
        64, count(1, 1024, "commands"), "Commands of one session that wait while another runs."
    )
    stanza_bytes: int = setting(
        1048576, count(4096, 16777216, "bytes"), "The largest stanza that a client may send."
    )
    header_timeout: float = setting(
        10.0, seconds(1, 300), "How long a client may take from connecting to its stream header."
    )
    stanza_timeout: float = setting(
        30.0, seconds(1, 600), "How long a client may take from a stanza's first byte to its last."
    )
    write_timeout: float = setting(
        30.0, seconds(1, 600), "How long a client may read nothing of what waits for it."
    )
    keepalive_interval: float = setting(
        240.0,
        seconds(10, 780),
        "After this much silence a space is sent. Clients hang up after 840 silent seconds.",
    )


@dataclass(frozen=True, slots=True)
class ProsodySettings:
    """The Prosody behind the service."""

    socket: Path = setting(  # noqa: RUF009 - a Path is immutable
        Path("/var/lib/prosody/prosody.sock"),
        SOCKET_PATH,
        "Prosody's own admin socket: admin_socket in its configuration.",
    )
    connect_timeout: float = setting(
        5.0, seconds(0.1, 60), "How long Prosody may take from connecting to its stream header."
    )


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """The record of what is done."""

    required: bool = setting(
        True,
        YES_OR_NO,
        "Whether a command is refused when its start cannot be handed to the journal.",
    )


@dataclass(frozen=True, slots=True)
class ModuleSettings:
    """What answers events, besides what is built in."""

    enabled: tuple[str, ...] = setting(
        (), MODULE_NAMES, "Modules to load, by the names of their entry points, in this order."
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; each table of the file is an attribute, each key an attribute of that.

    `policy` is what the tables of a site's own names have: roles, grants and commands.
    """

    service: ServiceSettings = ServiceSettings()
    limits: LimitSettings = LimitSettings()
    prosody: ProsodySettings = ProsodySettings()
    audit: AuditSettings = AuditSettings()
    modules: ModuleSettings = ModuleSettings()
    policy: PolicySettings = field(default_factory=PolicySettings)
