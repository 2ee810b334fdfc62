"""Where `prosody-admind` starts: what has to be before the first import of everything else.

A start is in somebody's way: the first connection waits for it.
"""

import gc
import sys
from collections.abc import Callable


def main() -> int:
    """Run the daemon with the command line of this process; return its exit status."""
    return loaded()()


def loaded() -> Callable[[], int]:
    """Load the daemon, and return what runs it.

    No garbage is looked for from here on, until the service serves. What is imported stays, and
    going through it again and again is a tenth of the start.
    """
    gc.disable()
    _import_asyncio_without_ssl()
    from prosody_admin.main import main

    return main


def _import_asyncio_without_ssl() -> None:
    """Import asyncio as where Python has no `ssl`: 7 ms and 5 MB less, libssl and libcrypto.

    asyncio is made for that, and then has no TLS. Nothing here speaks any: the service has no
    network, and no sockets but AF_UNIX (units/prosody-admin.service). The way is free again
    afterwards, for modules of others that import `ssl` for themselves.
    """
    if "ssl" in sys.modules:  # of a .pth file, say: there is nothing to gain any more
        return
    sys.modules["ssl"] = None  # type: ignore[assignment] # to import it is an ImportError then
    try:
        import asyncio  # noqa: F401 - for all that come after
    finally:
        del sys.modules["ssl"]
