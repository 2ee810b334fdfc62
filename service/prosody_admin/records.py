"""What the records in the journal are called: shared by who writes them and who reads them."""

from enum import Enum

UNIT = "prosody-admin.service"
"""_SYSTEMD_UNIT of all our records: journald says so itself, so nobody else can."""

IDENTIFIER = "prosody-admin"
"""SYSLOG_IDENTIFIER of all our records, for `journalctl -t`."""

PREFIX = "PROSODY_ADMIN_"
"""What the names of our own fields begin with."""


RECORD = PREFIX + "RECORD"
"""The field that counts the records of one run of the service from 1: one that is lost is a hole.

Only what has a MessageId is counted."""


class MessageId(Enum):
    """The kinds of our records, for `journalctl MESSAGE_ID=...`; an id never changes or returns."""

    SERVICE_STARTED = "c4d6c9eba2d446d58893d816a9ba530c"
    """The service listens and has its settings."""
    SERVICE_STOPPING = "cf9bc7f0cc394bc3b4583a7b2d91c90a"
    """The service takes no new session and ends those it has."""
    SESSION_OPENED = "75401407882b4735bcfdcb73d3b528a0"
    """A peer was accepted and identified."""
    SESSION_CLOSED = "6710a17e98ad48d38ef67e2337957c8d"
    """A session ended, for whatever reason."""
    SESSION_KEPT = "46a221b544c84c13b2b6b1f4bc0fa517"
    """A session was kept for the next process, which resumes it; it is not closed."""
    SESSION_RESUMED = "b00e9c8ef4fa45979dfb64a83bb140ee"
    """A session of the process before goes on, as it was."""
    RESUME_FAILED = "f08e7afdb8e045f9bf2479d01bf4d61b"
    """A session of the process before cannot go on; its client was told."""
    SESSION_REFUSED = "c4db4bf4d0b149beb67b7ea124538491"
    """A peer was turned away at accept: a limit is reached, or nobody knows who it is."""
    COMMAND_STARTED = "d2bd5c2893f54810a8dee175ca7ebd7f"
    """A command was allowed and is about to run."""
    COMMAND_FINISHED = "d209403e3f2a43bca0c888709bc28931"
    """A command that was started has its result."""
    COMMAND_REFUSED = "3692dc31b7eb42ee9737e7ca3e8f2ef3"
    """A command was not allowed and did not run."""
    STREAM_ERROR = "1aba71eedfa64f83a2a464bd66bbf385"
    """A peer broke the rules of the stream, or a deadline of it."""
    SETTINGS_LOADED = "8608a49402b64e6085fcf4b49c65eed7"
    """Settings were read and hold from now on."""
    SETTINGS_REJECTED = "16745fc53e1c4af69b7c070aab794246"
    """Settings cannot be used; the ones from before go on to hold."""
    MODULE_FAILED = "870a841def124f80b664b8ecaf3cf7e1"
    """A module could not be loaded, or one of its handlers raised."""
    AUDIT_NOT_REQUIRED = "8dd880050e9f413d8c0a82bfbdf02323"
    """The settings let commands run even if they cannot be recorded."""
    AUDIT_GAP = "f318fb2a851f4d6ea20de84fbe9eb7d5"
    """Records were lost here, because the journal could not be reached; says how many."""
