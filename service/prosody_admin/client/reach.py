"""Where the service is, as the options say: a socket here, another host, a container."""

import argparse
import os

from prosody_admin.client.connection import Connection
from prosody_admin.errors import ServiceUnreachableError

REMOTE_SECONDS = 120.0
"""How long the way to another host may take; ssh may ask for a password meanwhile."""


def connect(arguments: argparse.Namespace) -> Connection:
    """Return an open connection. Raises UsageError and ServiceUnreachableError."""
    if arguments.host is None and arguments.machine is None:
        return Connection.to(arguments.socket)
    # Here: most commands have no use for it.
    from prosody_admin.client.elsewhere.remote import bridge

    try:
        return Connection.through(bridge(arguments), REMOTE_SECONDS)
    except ServiceUnreachableError as error:
        if arguments.host is not None:
            raise ServiceUnreachableError(f"{arguments.host}: {error}") from None
        missing = "; to enter a container takes root" if os.geteuid() != 0 else ""
        raise ServiceUnreachableError(f"{arguments.machine}: {error}{missing}") from None
