"""A connection to the admin socket, asked one line at a time; blocking, without an event loop."""

import contextlib
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from prosody_admin.client.answers import Answer, Output, Result, is_error, result_of
from prosody_admin.client.verbs import DEFAULT_SOCKET
from prosody_admin.errors import (
    ServiceUnreachableError,
    StanzaError,
    UsageError,
)
from prosody_admin.protocol.parser import Limits
from prosody_admin.protocol.stanza import Stanza, repl_input, repl_requested_input
from prosody_admin.protocol.stream import (
    EofReceived,
    Role,
    StanzaReceived,
    Stream,
    StreamClosed,
    StreamFailed,
    StreamOpened,
)
from prosody_admin.protocol.structured import (
    STRUCTURED_NS,
    Fact,
    facts_of,
    query,
)

if TYPE_CHECKING:
    from subprocess import Popen

CONNECT_SECONDS = 30.0
"""How long connecting may take: systemd starts the service for it."""

# Prosody says what it likes in one line, and a role may have hundreds of patterns in one tag.
_LIMITS = Limits(stanza_bytes=16 << 20, tag_bytes=1 << 20, names=1024)

_READ_BYTES = 65536
_LEAVE_SECONDS = 1.0

Ask = Callable[[str], str | None]
"""Answers a question for a secret, by its kind ("password"); None cancels."""


def reached(path: str, timeout: float = CONNECT_SECONDS) -> socket.socket:
    """Return a socket that is connected to `path`, where `timeout` in seconds is its timeout.

    Raises ServiceUnreachableError.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    try:
        sock.connect(path)
    except OSError as error:
        sock.close()
        raise ServiceUnreachableError(_why_not(path, error)) from error
    return sock


class Connection:
    """An open stream to the service. Not for use by several threads at once.

    A command that is left before its result (an exception, a generator that is closed) ends the
    connection, for nobody could tell what comes after; `usable` is false then.
    """

    def __init__(self, sock: socket.socket, command: "Popen[bytes] | None" = None) -> None:
        self._socket = sock
        self._command = command
        self._stream = Stream(Role.CLIENT, _LIMITS)
        self._events: deque[StreamOpened | StanzaReceived] = deque()
        self._ended = ""

    @classmethod
    def to(cls, path: str = DEFAULT_SOCKET, timeout: float = CONNECT_SECONDS) -> Self:
        """Connect to the socket at `path` and open the stream, in `timeout` seconds at most each.

        Raises ServiceUnreachableError.
        """
        connection = cls(reached(path, timeout))
        connection.open(path)
        return connection

    @classmethod
    def through(cls, argv: Sequence[str], timeout: float = CONNECT_SECONDS) -> Self:
        """Open the stream over the standard input and output of a command, which ends with it.

        Ctrl-C does not reach it: what that ends is for the caller to say. `timeout` is for its
        first bytes, in seconds. Raises ServiceUnreachableError.
        """
        import subprocess  # here: it takes as long as all the rest, and is for other hosts only
        from signal import SIG_BLOCK, SIG_SETMASK, SIGINT, pthread_sigmask

        ours, theirs = socket.socketpair()
        ours.settimeout(timeout)
        connection = cls(ours)
        before = pthread_sigmask(SIG_BLOCK, {SIGINT})  # the command inherits what is blocked
        try:
            try:
                with theirs:
                    number = theirs.fileno()
                    connection._command = subprocess.Popen(argv, stdin=number, stdout=number)
            finally:
                pthread_sigmask(SIG_SETMASK, before)  # raises what was pressed meanwhile
            connection.open(argv[0])
        except OSError as error:
            connection.close()
            raise ServiceUnreachableError(f"{argv[0]}: {error.strerror}") from error
        except BaseException:
            connection.close()
            raise
        return connection

    def open(self, where: str) -> None:
        """Open the stream; `to` and `through` do. `where` is for the message of an error.

        Raises ServiceUnreachableError.
        """
        try:
            self._stream.open()
            self._send()
            opened = isinstance(self._event(), StreamOpened)
        except ServiceUnreachableError as error:
            raise ServiceUnreachableError(f"{where}: {error}") from None
        except BaseException:
            self.close()
            raise
        assert opened  # nothing comes before it
        self.wait_at_most(None)

    @property
    def usable(self) -> bool:
        """Whether a command can be sent: nothing has ended the stream, as far as is known now."""
        if not self._ended:
            self._socket.setblocking(False)
            try:
                self._receive()
            except BlockingIOError:
                pass
            finally:
                if self._socket.fileno() >= 0:
                    self._socket.setblocking(True)
        return not self._ended

    def wait_at_most(self, seconds: float | None) -> None:
        """Wait so long for whatever comes next, and then end the connection; None: for ever."""
        if self._socket.fileno() >= 0:
            self._socket.settimeout(seconds)

    def run(self, line: str, *, width: int | None = None, ask: Ask | None = None) -> Answer:
        """Have a line run, and return all that it says; raises what `stream` does."""
        *output, result = self.stream(line, width=width, ask=ask)
        assert isinstance(result, Result)
        return Answer(tuple(piece for piece in output if isinstance(piece, Output)), result)

    def stream(
        self, line: str, *, width: int | None = None, ask: Ask | None = None
    ) -> Iterator[Output | Result]:
        """Have a line run, and go through what it says as it comes; the last is the result.

        `width` is how many columns a table may have. Without `ask` questions are cancelled.
        Raises ServiceUnreachableError when the connection ends before the result, and UsageError
        for a line with characters that XML cannot carry.
        """
        with contextlib.closing(self._exchange(repl_input(line, width, repl=False))) as stanzas:
            for stanza in stanzas:
                match stanza.name:
                    case "repl-output":
                        yield Output(stanza.text, is_error(stanza), stanza.get("eol") != "0")
                    case "repl-request-input":
                        self._answer(stanza, ask)
                    case "repl-result":
                        yield result_of(stanza)

    def query(self, line: str) -> tuple[dict[str, Fact], ...]:
        """Ask for what a line of the `admin` section would say, as data: the facts of each item.

        Raises what `Result.check` does, and ServiceUnreachableError. The facts are those of
        modules/admin.py: `query("admin:sessions()")[0]["user"]`.
        """
        items = []
        for stanza in self._exchange(query(line)):
            if stanza.name == "repl-result":
                result_of(stanza).check()
            elif stanza.namespace == STRUCTURED_NS:
                items.append(facts_of(stanza))
        return tuple(items)

    def close(self) -> None:
        """Say goodbye and close; idempotent."""
        self._end("closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _exchange(self, question: Stanza) -> Generator[Stanza, None, None]:
        """Send one stanza and go through all that comes up to its result."""
        if self._ended:
            raise ServiceUnreachableError(self._ended)
        try:
            self._stream.send(question)
        except StanzaError as error:
            raise UsageError(f"a line that cannot be sent: {error}") from error
        done = False
        try:
            self._send()
            while not done:
                stanza = self._stanza()
                done = stanza.name == "repl-result"
                yield stanza
        finally:
            if not done:
                self._end("the command was left")

    def _stanza(self) -> Stanza:
        try:
            event = self._event()
        except ServiceUnreachableError as error:
            reason = f"{error}; the outcome of the command is unknown"
            raise ServiceUnreachableError(reason, sent=True) from None
        assert isinstance(event, StanzaReceived)  # the header came before the first question
        return event.stanza

    def _event(self) -> StreamOpened | StanzaReceived:
        while not self._events:
            if self._ended:
                raise ServiceUnreachableError(self._ended)
            self._receive()
        return self._events.popleft()

    def _answer(self, question: Stanza, ask: Ask | None) -> None:
        kind = question.get("type", "")
        answer = ask(kind) if ask else None
        self._stream.send(repl_requested_input(question.get("id", ""), answer, kind))
        self._send()

    def _receive(self) -> None:
        """Take what the service sends next; wait for it on a blocking socket."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            raise
        except ConnectionResetError:  # closed before it read what we sent
            data = b""
        except OSError as error:  # a timeout has no errno
            self._end(error.strerror or "no answer in time")
            return
        if data:
            self._stream.receive_data(data)
        else:
            self._stream.receive_eof()
        for event in self._stream.events_received():
            match event:
                case StreamOpened() | StanzaReceived():
                    self._events.append(event)
                case StreamClosed() | EofReceived():
                    self._end("the service ended the connection")
                case StreamFailed(failure):
                    self._end(f"the service ended the stream: {failure.condition}")

    def _send(self) -> None:
        # Of a service that is gone, reading tells more: it may have said why before.
        with contextlib.suppress(OSError):
            self._socket.sendall(self._stream.data_to_send())

    def _end(self, reason: str) -> None:
        if self._ended:
            return
        self._ended = reason
        self._stream.close()
        self._socket.settimeout(_LEAVE_SECONDS)
        self._send()
        self._socket.close()
        if self._command is not None:
            _wait(self._command)


def connect(path: str = DEFAULT_SOCKET, timeout: float = CONNECT_SECONDS) -> Connection:
    """Connect to the service; see `Connection.to`."""
    return Connection.to(path, timeout)


def _wait(command: "Popen[bytes]") -> None:
    """Wait for a command to end with its standard input; have it end if it does not."""
    from subprocess import TimeoutExpired  # here, as above

    try:
        command.wait(_LEAVE_SECONDS)
    except TimeoutExpired:
        command.terminate()
        command.wait()


def _why_not(path: str, error: OSError) -> str:
    match error.errno:
        case errno.ENOENT:
            why = "not there; is it started? (systemctl start prosody-admin.socket)"
        case errno.ECONNREFUSED:
            why = "nobody listens; is it started? (systemctl start prosody-admin.socket)"
        case errno.EACCES:
            why = "permission denied; members of the group prosody-admin may connect"
        case None:  # a timeout, or a path that is too long
            why = str(error)
        case number:
            why = os.strerror(number)
    return f"{path}: {why}"
