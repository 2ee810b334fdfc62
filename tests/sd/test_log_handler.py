"""`sd/log_handler.py`: from `logging` to a journal."""

import logging
import threading
from collections.abc import Iterator, Sequence
from syslog import LOG_CRIT, LOG_DEBUG, LOG_ERR, LOG_INFO, LOG_WARNING

import pytest

from fakes.journald import parse
from prosody_admin.sd.entries import Journal
from prosody_admin.sd.log_handler import JournalHandler, priority_of

DEADLOCK_SECONDS = 10.0
"""After this, a thread that has nothing to wait for has failed."""


class FakeJournal(Journal):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.logged: list[dict[str, str]] = []

    def record(self, entries: Sequence[bytes]) -> None:
        raise AssertionError("a message is no record of a start")

    def keep(self, payload: bytes) -> None:
        self.logged.append(parse(payload))


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
    (record,) = journal.logged
    assert record.pop("CODE_LINE").isdecimal()
    assert record == {
        "MESSAGE": "3 of secret",
        "PRIORITY": str(LOG_WARNING),
        "SYSLOG_IDENTIFIER": "prosody-admin",
        "PROSODY_ADMIN_LOGGER": "prosody_admin.test",
        "CODE_FILE": __file__,
        "CODE_FUNC": "test_a_message_and_where_it_was_said",
    }


def test_a_traceback_is_part_of_the_message(logger: logging.Logger, journal: FakeJournal) -> None:
    try:
        int("broken")
    except ValueError:
        logger.exception("module failed")
    (record,) = journal.logged
    assert record["MESSAGE"].startswith("module failed\nTraceback (most recent call last):\n")
    assert record["MESSAGE"].endswith("'broken'")


def test_what_cannot_be_formatted_is_said_without_its_arguments(
    logger: logging.Logger, journal: FakeJournal, capsys: pytest.CaptureFixture[str]
) -> None:
    logger.info("%d", "secret")
    (record,) = journal.logged
    assert record["MESSAGE"] == "a message that cannot be formatted: TypeError"
    assert record["PRIORITY"] == str(LOG_ERR)
    assert record["CODE_FUNC"] == "test_what_cannot_be_formatted_is_said_without_its_arguments"
    assert "secret" not in str(record)
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


def test_a_destructor_that_logs_waits_for_no_other_thread() -> None:
    """The garbage collector may run one while a record is written."""
    others: list[threading.Thread] = []
    logger = logging.Logger("prosody_admin.test")

    class Interrupted(FakeJournal):
        def keep(self, payload: bytes) -> None:
            with self.lock:
                if not others:
                    others.append(
                        threading.Thread(target=logger.error, args=["other"], daemon=True)
                    )
                    others[0].start()
                    others[0].join(0.1)  # it waits for the lock by then
                    logger.error("destructor")
                super().keep(payload)

    journal = Interrupted()
    logger.addHandler(JournalHandler(journal))
    writer = threading.Thread(target=journal.log, args=["record"], daemon=True)
    writer.start()
    writer.join(DEADLOCK_SECONDS)
    assert not writer.is_alive()
    others[0].join(DEADLOCK_SECONDS)
    assert [record["MESSAGE"] for record in journal.logged] == ["destructor", "record", "other"]
