"""`__complete WORD...`: what the last word of a command line may become, for shells' completions.

Each way is a line of its own: the word, a tab, and what it is. Whatever goes wrong, there is none.
"""

import argparse
import functools
import signal
from contextlib import ExitStack
from types import FrameType

from prosody_admin.client.completing.names import Names
from prosody_admin.client.completing.word_suggestions import divided, word_suggestions
from prosody_admin.client.connection import Connection
from prosody_admin.client.exits import ExitCode
from prosody_admin.errors import ClientError, ServiceUnreachableError

SECONDS = 1.0
"""How long a press of the Tab key may take to be answered."""


def run(arguments: argparse.Namespace) -> int:
    """Print what the last of the words may become, as far as that is known in time."""
    words = arguments.words or [""]
    given = divided(words[:-1]).given
    with ExitStack() as stack:

        @functools.cache
        def connected() -> Connection:
            if "host" in given or "machine" in given:
                raise ServiceUnreachableError("a key is no reason to go to another host")
            path = given.get("socket", arguments.socket)
            return stack.enter_context(Connection.to(path, SECONDS))

        signal.signal(signal.SIGALRM, _give_up)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            found = word_suggestions(words, Names(connected))
        except ClientError:  # it was late, and between two questions
            found = []
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
    for name, meaning in found:
        print(f"{name}\t{meaning}")
    return ExitCode.OK


def _give_up(_: int, __: FrameType | None) -> None:
    """End the wait for an answer, wherever it is: `Names` takes that for no answer."""
    raise ServiceUnreachableError("no answer in time")
