"""The interactive shell: lines are typed, run one after the other, and remembered.

A line is sent once. When the connection is lost the next line opens another, and nothing is ever
sent again: who reads that the outcome is unknown decides.
"""

import argparse
import contextlib
import signal
import sys
from collections.abc import Callable, Sequence

from prosody_admin.client.completing.names import Names
from prosody_admin.client.completing.suggestions import suggestions
from prosody_admin.client.connection import Connection
from prosody_admin.client.one_shot import refuse_json, show
from prosody_admin.client.prompt.best_prompt import best_prompt
from prosody_admin.client.prompt.greeting import greeting
from prosody_admin.client.prompt.history import History, Keep, history_path, keep
from prosody_admin.client.prompt.prompting import Prompt, Suggestion
from prosody_admin.client.prompt.unfinished import commands
from prosody_admin.client.reach import connect
from prosody_admin.client.terminal.asking import agree, at_terminal, question_about
from prosody_admin.client.terminal.text import shown
from prosody_admin.client.words import line_typed
from prosody_admin.errors import ClientError, ServiceUnreachableError, UsageError
from prosody_admin.shell.lines import Help, parse

LEAVE = frozenset({"bye", "exit", "quit"})
"""The words that end the shell, as in Prosody's own."""

_OF_THE_SHELL = "Here: quit, exit, bye and Ctrl-D leave, Ctrl-C ends a command, Tab completes."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the options of all verbs are enough."""


def run(arguments: argparse.Namespace) -> int:
    """Run the shell until it is left. Raises ClientError, also when nothing can be reached."""
    if not at_terminal():
        raise UsageError("shell: needs a terminal; for commands from a file there is -f")
    refuse_json(arguments)
    with contextlib.closing(Service(lambda: connect(arguments))) as service:
        connection = service.connection()
        if not arguments.quiet:
            print(shown(greeting(connection), sys.stderr), file=sys.stderr)
        shell = Shell(arguments, service)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: shell.leave(128 + number))
        shell.run()
    return 0


class Service:
    """The service, over one connection after the other."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    @property
    def connected(self) -> bool:
        """Whether a line can be sent on the connection that there is."""
        return self._connection is not None and self._connection.usable

    def connection(self) -> Connection:
        """Return a connection that a line can be sent on. Raises ServiceUnreachableError."""
        if self._connection is None or not self._connection.usable:
            self.close()
            self._connection = self._connect()
        return self._connection

    def close(self) -> None:
        """Close the connection, and with it the command that runs; idempotent."""
        if self._connection is not None:
            self._connection.close()


class Shell:
    """What reads lines and runs them; `prompt` is where they come from, the best one by default."""

    def __init__(
        self, arguments: argparse.Namespace, service: Service, prompt: Prompt | None = None
    ) -> None:
        self._arguments = arguments
        self._service = service
        self._history: History | None = None
        self._names = Names(self._connection_for_names)
        lines = self._open_history()
        self._prompt = prompt or best_prompt(lines, self._suggest)
        _, _, host = (arguments.host or arguments.machine or "").rpartition("@")
        self._ready = f"prosody@{host}> " if host else "prosody> "
        self._goes_on = "> ".rjust(len(self._ready), ".")

    def run(self) -> None:
        """Read and run lines up to a word to leave, or the end of the file."""
        going_on = True
        while going_on:
            try:
                going_on = self._run_all(self._read())
            except KeyboardInterrupt:
                continue
            except EOFError:
                return

    def leave(self, code: int) -> None:
        """End the process, from a signal handler, with the terminal as it was."""
        self._prompt.leave(code)

    def _read(self) -> list[str]:
        """Return the lines that are typed or pasted, up to the end of the last one."""
        lines, rest = commands(self._prompt.read(self._ready))
        while rest:
            more, rest = commands(rest + self._prompt.read(self._goes_on))
            lines += more
        return lines

    def _run_all(self, lines: Sequence[str]) -> bool:
        """Run lines up to the first that fails, and say whether the shell goes on.

        Whoever pasted the rest cannot have meant it to come after a failure; --keep-going does.
        """
        for line in lines:
            self._remember(line)
        for count, line in enumerate(lines, 1):
            if line.lower() in LEAVE:
                return False
            if not self._run(line) and not self._arguments.keep_going:
                if left := len(lines) - count:
                    _complain(f"{left} more pasted line{'s' if left > 1 else ''} not run")
                break
        return True

    def _run(self, typed: str) -> bool:
        """Run a line, and say whether it went well."""
        try:
            line = line_typed(typed)
            if not self._arguments.yes:
                _agree(question_about(line))
            result = show(self._service.connection(), line, quiet=self._arguments.quiet)
        except KeyboardInterrupt:
            self._service.close()
            print(file=sys.stderr)  # behind the ^C
            _complain("interrupted, which closed the connection; what was begun may be done")
            return False
        except ClientError as error:
            _complain(str(error))
            return False
        if parse(line) == Help():
            print(_OF_THE_SHELL)
        return result.ok

    def _suggest(self, before: str) -> Sequence[Suggestion]:
        return suggestions(before, self._names)

    def _connection_for_names(self) -> Connection:
        """Return the connection, idle now. Raises ServiceUnreachableError.

        No key opens one to elsewhere: ssh may ask for a password, the next line is there for that.
        """
        if (self._arguments.host or self._arguments.machine) and not self._service.connected:
            raise ServiceUnreachableError("not connected")
        return self._service.connection()

    def _open_history(self) -> Sequence[str]:
        try:
            self._history = History(history_path())
            return self._history.lines()
        except OSError as error:
            self._do_without_history(error)
            return ()

    def _remember(self, line: str) -> None:
        try:
            where = keep(line_typed(line))
        except UsageError:
            where = Keep.SHELL
        if where is Keep.NOWHERE or line.lower() in LEAVE:
            return
        self._prompt.remember(line)
        if where is Keep.FILE and self._history is not None:
            try:
                self._history.append(line)
            except OSError as error:
                self._do_without_history(error)

    def _do_without_history(self, error: OSError) -> None:
        self._history = None
        where = f"{error.filename}: " if error.filename else ""
        _complain(f"lines will not be kept for the next time: {where}{error.strerror}")


def _agree(question: str) -> None:
    """Ask; Ctrl-C is a no. Raises UsageError for that."""
    try:
        agree(question)
    except KeyboardInterrupt:
        print(file=sys.stderr)  # behind the ^C
        raise UsageError("not run") from None


def _complain(message: str) -> None:
    print(shown(f"prosody-adminctl: {message}", sys.stderr, wrong=True), file=sys.stderr)
