"""May this session have this now? The policy's verdict, and what outranks it."""

from typing import NamedTuple

from prosody_admin.access.policy import Policy, Verdict
from prosody_admin.access.roles import Request
from prosody_admin.net.audit import Refusal
from prosody_admin.net.meaning import Meaning, Meanings, has_line
from prosody_admin.net.session import Session
from prosody_admin.protocol.stanza import Stanza
from prosody_admin.shell.catalogue import Catalogue, CommandClass
from prosody_admin.shell.lines import Call


class Judgement(NamedTuple):
    """What a stanza means, and why it is not dispatched, or None: then it is allowed.

    `text` is for the handler, see `Meanings.text_of`; of what is refused there is none.
    """

    meaning: Meaning
    verdict: Verdict
    refusal: Refusal | None
    text: str


class Judge:
    """Judges by one policy, as long as that is in force."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._meanings = Meanings(policy.catalogue)

    def judge(self, session: Session, stanza: Stanza) -> Judgement:
        """Say what `stanza` means and whether its session may have it."""
        meaning = self._meanings.of(stanza)
        verdict = self._verdict(session, meaning)
        refusal = _refusal(session, stanza) or _denial(verdict) or _absence(session)
        text = self._meanings.text_of(meaning, stanza) if refusal is None else ""
        return Judgement(meaning, verdict, refusal, text)

    def withdrawal(self, session: Session, meaning: Meaning) -> Refusal | None:
        """Return why what its session was allowed by another policy has to end now, or None.

        A command of the class STREAM would go on showing what its caller may no longer see until
        the caller has enough of it. Any other runs on to its end.
        """
        if not _streams(meaning.request, self._policy.catalogue):
            return None
        verdict = self._policy.authorise(session.identity, meaning.request)
        return None if verdict.allowed else _refused(verdict, "withdrawn")

    def _verdict(self, session: Session, meaning: Meaning) -> Verdict:
        """Ask the policy, unless it was asked the same just now.

        Of another policy there are other meanings, so that none is the one before.
        """
        if session.judged is not None and session.judged[0] is meaning:
            return session.judged[1]
        verdict = self._policy.authorise(session.identity, meaning.request)
        if meaning.repeatable:
            session.judged = meaning, verdict
        return verdict


def _refusal(session: Session, stanza: Stanza) -> Refusal | None:
    """Return why nothing is dispatched for this session now, whoever asks for whatever."""
    if session.refusal:
        return Refusal("limits", session.refusal)
    if session.ending is not None:
        return Refusal("ending", session.ending.reason)
    if has_line(stanza) and stanza.elements:
        return Refusal("malformed", "a line is text, without elements")
    return None


def _denial(verdict: Verdict) -> Refusal | None:
    return None if verdict.allowed else _refused(verdict, "denied")


def _refused(verdict: Verdict, how: str) -> Refusal:
    text = f"permission {how} ({verdict.rule}): needs {verdict.needed}"
    return Refusal(verdict.rule, text)


def _absence(session: Session) -> Refusal | None:
    """Ask the kernel, which takes longer than all the rest, only about what would be allowed."""
    if session.has_its_peer():
        return None
    return Refusal("vanished-peer", "the process that connected is gone, or another account's")


def _streams(request: Request, catalogue: Catalogue) -> bool:
    """Return whether a command goes on until somebody has seen enough."""
    if not isinstance(request.line, Call):
        return False
    command = catalogue.get(request.line.section, request.line.command)
    return command is not None and command.command_class is CommandClass.STREAM
