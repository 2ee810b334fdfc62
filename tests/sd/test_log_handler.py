"""`sd/log_handler.py`: from `logging` to a journal."""

import logging
from collections.abc import Iterator
from syslog import LOG_CRIT, LOG_DEBUG, LOG_ERR, LOG_INFO, LOG_WARNING

import pytest

from prosody_admin.sd.entries import FieldValue, Journal, MessageId
from prosody_admin.sd.log_handler import JournalHandler, priority_of


class FakeJournal(Journal):
    """Keeps what it is given."""

    dropped = 0

    def __init__(self) -> None:
        self.logged: list[tuple[str, int, dict[str, FieldValue]]] = []

    def record(
        self, event: MessageId, message: str, priority: int = LOG_INFO, **fields: FieldValue
    ) -> None:
        raise AssertionError("logging is best-effort")

    def log(
        self,
        message: str,
        priority: int = LOG_INFO,
        event: MessageId | None = None,
        **fields: FieldValue,
    ) -> None:
        self.logged.append((message, priority, fields))

    def flush(self) -> bool:
        return True

    def close(self) -> None:
        pass


@pytest.fixture
def journal() -> FakeJournal:
    return FakeJournal()


@pytest.fixture
def logger(journal: FakeJournal) -> Iterator[logging.Logger]:
    logger = logging.Logger("prosody_admin.test", logging.DEBUG)
    handler = JournalHandler(journal)
    logger.addHandler(handler)
    yield logger
    handler.close()


def test_a_message_and_where_it_was_said(logger: logging.Logger, journal: FakeJournal) -> None:
    logger.warning("%d of %s", 3, "secret")
    ((message, priority, fields),) = journal.logged
    assert (message, priority) == ("3 of secret", LOG_WARNING)
    line = fields.pop("CODE_LINE")
    assert isinstance(line, int)
    assert fields == {
        "LOGGER": "prosody_admin.test",
        "CODE_FILE": __file__,
        "CODE_FUNC": "test_a_message_and_where_it_was_said",
    }


def test_a_traceback_is_part_of_the_message(logger: logging.Logger, journal: FakeJournal) -> None:
    try:
        int("broken")
    except ValueError:
        logger.exception("module failed")
    ((message, priority, _),) = journal.logged
    assert message.startswith("module failed\nTraceback (most recent call last):\n")
    assert message.endswith("'broken'")
    assert priority == LOG_ERR


def test_what_cannot_be_formatted_is_said_without_its_arguments(
    logger: logging.Logger, journal: FakeJournal, capsys: pytest.CaptureFixture[str]
) -> None:
    logger.info("%d", "secret")
    ((message, priority, fields),) = journal.logged
    assert (message, priority) == ("a message that cannot be formatted: TypeError", LOG_ERR)
    assert fields["CODE_FUNC"] == ("test_what_cannot_be_formatted_is_said_without_its_arguments")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        (logging.CRITICAL + 1, LOG_CRIT),
        (logging.CRITICAL, LOG_CRIT),
        (logging.ERROR, LOG_ERR),
        (logging.WARNING, LOG_WARNING),
        (logging.WARNING - 1, LOG_INFO),
        (logging.INFO, LOG_INFO),
        (logging.DEBUG, LOG_DEBUG),
        (1, LOG_DEBUG),
    ],
)
def test_priorities(level: int, priority: int) -> None:
    assert priority_of(level) == priority
