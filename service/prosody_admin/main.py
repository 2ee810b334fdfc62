"""prosody-admind as a process: its command line, its journal, its sockets, and then the daemon."""

import asyncio
import contextlib
import faulthandler
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence

from prosody_admin.arguments import OF_THE_UNIT, Arguments
from prosody_admin.config import Settings, load, settings_files
from prosody_admin.daemon import Daemon, set_log_level
from prosody_admin.descriptors import File
from prosody_admin.errors import ActivationError, SettingsError
from prosody_admin.net.loop import new_event_loop
from prosody_admin.sd.activation import adopt_descriptors, bind_listener
from prosody_admin.sd.fdstore import FdStore
from prosody_admin.sd.journal import JournalHandler, open_journal

log = logging.getLogger(__name__)


def read_arguments(words: Sequence[str]) -> Arguments:
    """Read the command line. Exits with EX_USAGE, and says why, if it is wrong."""
    if tuple(words) == OF_THE_UNIT:  # it is known what that says, and argparse takes 8 ms
        arguments = Arguments()
        arguments.log_target = "journal"
        return arguments
    from prosody_admin import command_line

    return command_line.parse(words)


def _start_is_over() -> None:
    """Look for garbage from now on, but not in what the start made: that would take 15 ms."""
    gc.freeze()
    gc.enable()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon; return its exit status, after sysexits.h."""
    arguments = read_arguments(sys.argv[1:] if argv is None else argv)
    if arguments.install_units:
        from prosody_admin import installation  # what it loads is for nothing else

        return installation.install_units(arguments.root)

    def read_settings() -> Settings:
        return load(settings_files(arguments.config))

    try:
        settings = read_settings()
    except SettingsError as error:
        sys.stderr.write(f"prosody-admind: {error}\n")
        return os.EX_CONFIG
    if arguments.only_asks:
        from prosody_admin import checking  # as above

        return checking.answer(arguments, settings)
    faulthandler.enable()  # the watchdog's SIGABRT then shows where the loop was stuck
    with contextlib.ExitStack() as owned:
        journal = open_journal(arguments.log_target)
        owned.callback(journal.close)
        logging.basicConfig(handlers=[JournalHandler(journal)], force=True)
        set_log_level(settings)
        stored: list[File] = []
        store = None
        try:
            if arguments.listen:
                listening = [owned.enter_context(bind_listener(arguments.listen))]
            else:
                handed_over = adopt_descriptors()
                listening = [owned.enter_context(file) for file in handed_over.listening]
                stored, store = handed_over.stored, FdStore()
        except ActivationError as error:
            log.error("%s", error)  # noqa: TRY400 - the message says it all, a traceback nothing
            return os.EX_CANTCREAT if arguments.listen else os.EX_CONFIG

        async def serve() -> signal.Signals | None:
            daemon = Daemon(
                settings,
                listening,
                journal,
                read_settings,
                leaves_when_idle=not arguments.listen,
                stored=stored,
                store=store,
            )
            asyncio.get_running_loop().call_soon(_start_is_over)
            return await daemon.run()

        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                killed_by = runner.run(serve())
        except Exception:
            log.critical("internal error", exc_info=True)
            return os.EX_SOFTWARE
    if killed_by is not None:
        # Die of it, as whoever sent it expects; everything of ours is cleaned up.
        signal.signal(killed_by, signal.SIG_DFL)
        os.kill(os.getpid(), killed_by)
    return os.EX_OK
