"""The client: the command `prosody-adminctl`, and what Python programs may use of it.

from prosody_admin.client import connect

with connect() as connection:
    print(connection.run('user:list("example.com")').text)
"""

TYPE_CHECKING = False  # that of `typing` takes 3 ms to import
if TYPE_CHECKING:
    from prosody_admin.client.answers import Answer, Output, Result
    from prosody_admin.client.connection import Connection, connect
    from prosody_admin.errors import (
        ClientError,
        CommandFailedError,
        CommandRefusedError,
        ServiceUnreachableError,
    )

__all__ = [
    "Answer",
    "ClientError",
    "CommandFailedError",
    "CommandRefusedError",
    "Connection",
    "Output",
    "Result",
    "ServiceUnreachableError",
    "connect",
]


def __getattr__(name: str) -> object:
    """Import what is asked for only then (PEP 562): quick.py is to start at once."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from prosody_admin import errors
    from prosody_admin.client import answers, connection

    return next(
        getattr(room, name) for room in (connection, answers, errors) if hasattr(room, name)
    )
