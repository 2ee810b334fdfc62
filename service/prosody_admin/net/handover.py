"""Sessions that outlive the process: kept by the old one, gone on with by the new one.

A session is given to systemd in one callback of the loop: whether it is at rest, its state, its
socket, and that nobody reads from that here any more.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Iterable, Iterator

from prosody_admin.descriptors import DeferredFdCloser, File
from prosody_admin.errors import FdStoreError, KeptSessionError, StreamError
from prosody_admin.net.audit import Audit
from prosody_admin.net.kept import SessionState, decode, encode
from prosody_admin.net.peer import Peer
from prosody_admin.net.session import Session
from prosody_admin.net.sessions import Sessions
from prosody_admin.protocol.stanza import repl_result
from prosody_admin.protocol.stream import Role, Stream
from prosody_admin.sd.fdstore import FILES_AT_ONCE, NOTE_BYTES, FdStore

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.02
"""Seconds between two looks at which sessions have come to rest: an upgrade waits for them."""

REST_SECONDS = 2.0
"""How long a session without a command may take to come to rest: for the rest of a header or of a
stanza, and for output to be read."""


async def keep_sessions(
    sessions: Sessions, store: FdStore, closer: DeferredFdCloser, seconds: float
) -> None:
    """Put each session into `store` as soon as it is at rest, and end it here without a word.

    Waits for it while a command of it runs or waits, `seconds` at most. Returns early when nobody
    is left to wait for, or the store takes no more. Whoever is left then has to be ended.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    while True:
        try:
            _keep_those_at_rest(sessions, store, closer)
        except FdStoreError:
            log.exception("sessions end, for they cannot be kept")
            return
        waited = clock() - began
        if waited >= seconds or not any(_may_rest(session, waited) for session in sessions):
            return
        await asyncio.sleep(LOOK_SECONDS)


def resume_sessions(
    sessions: Sessions,
    audit: Audit,
    closer: DeferredFdCloser,
    notes: Iterable[bytes],
    files: Iterable[File],
) -> None:
    """Go on with the sessions that the process before kept; takes over `files`.

    A socket without a state that is its own is told so and closed, and the reason recorded: no
    session has any other identity than the one it had.
    """
    found = {_inode(file): file for file in files}
    ids = set[str]()
    for line in (line for note in notes for line in note.splitlines()):
        state = None
        try:
            state = decode(line)
            _resume(sessions, found, ids, state)
        except (KeptSessionError, StreamError) as error:
            audit.resume_failed(None if state is None else state.id, str(error))
            if state is not None and (file := found.pop(state.inode, None)) is not None:
                _part(file, closer)
    for file in found.values():
        audit.resume_failed(None, "a descriptor without a state")
        _part(file, closer)


def _keep_those_at_rest(sessions: Sessions, store: FdStore, closer: DeferredFdCloser) -> None:
    for note, batch in _batches(session for session in sessions if session.at_rest):
        store.keep(note, [session.connection.transport.file for session in batch])
        for session in batch:
            closer.close_fd(session.release(), shutdown=False)  # systemd has the other reference


def _batches(sessions: Iterable[Session]) -> Iterator[tuple[bytes, list[Session]]]:
    """Go through the sessions, as many at once as fit, with a note of a line for each."""
    note, batch = b"", list[Session]()
    for session in sessions:
        line = encode(session.state) + b"\n"
        if batch and (len(batch) == FILES_AT_ONCE or len(note) + len(line) > NOTE_BYTES):
            yield note, batch
            note, batch = b"", []
        note += line
        batch.append(session)
    if batch:
        yield note, batch


def _may_rest(session: Session, waited: float) -> bool:
    """Return whether it is worth waiting for; one that is over or refused ends either way."""
    if session.released or session.refusal or session.ending is not None:
        return False
    return session.busy or waited < REST_SECONDS


def _resume(sessions: Sessions, found: dict[int, File], ids: set[str], state: SessionState) -> None:
    """Take a state's socket out of `found` and go on with the session, whose id goes to `ids`.

    Raises KeptSessionError or StreamError if it cannot, and leaves the socket where it is.
    """
    file = found.get(state.inode)
    if file is None:
        raise KeptSessionError("its socket is not there")
    if state.id in ids:
        raise KeptSessionError("there is a session with this id")
    peer = _peer(file, state)
    try:
        sessions.resume(file, peer, state)
    except StreamError:
        peer.close()
        raise
    del found[state.inode]
    ids.add(state.id)


def _peer(file: File, state: SessionState) -> Peer:
    """Return who is at the other end, with the identity of before.

    Raises KeptSessionError for a socket that is not the one of `state`.
    """
    try:
        with file.borrow_socket() as sock:
            listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if listens or (sock.family, sock.type) != (socket.AF_UNIX, socket.SOCK_STREAM):
                raise KeptSessionError("its socket is of another kind")
            sock.setblocking(False)
        found = file.cred()
    except OSError as error:
        raise KeptSessionError(f"its socket cannot be used: {error.strerror}") from error
    identity = state.identity
    # Kernels before 6.16 have no pidfd of a process that has been reaped since.
    peer = Peer(identity, found.pidfd, gone=state.pinned and found.pidfd is None)
    if (found.pid, found.uid, found.gid) != (identity.pid, identity.uid, identity.gid):
        peer.close()
        raise KeptSessionError("its socket is another peer's")
    return peer


def _part(file: File, closer: DeferredFdCloser) -> None:
    """Tell who is at the other end, if anybody is, and close."""
    with contextlib.suppress(OSError), file.borrow_socket() as sock:
        sock.setblocking(False)
        sock.send(_PARTING)
    closer.close_fd(file)


def _inode(file: File) -> int:
    with file.borrow() as fd:
        return os.fstat(fd).st_ino


def _parting() -> bytes:
    """Return the last words to a client whose session cannot go on."""
    client, server = Stream(Role.CLIENT), Stream(Role.SERVER)
    client.open()
    server.receive_data(client.data_to_send())
    server.data_to_send()  # the header, which went out long ago
    server.send(repl_result("Error: the service restarted without this session", error=True))
    server.fail("internal-server-error")
    return server.data_to_send()


_PARTING = _parting()
