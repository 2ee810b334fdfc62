"""What tests of this room get."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.systemd import Systemd


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    with Systemd(tmp_path / "notify") as systemd:
        monkeypatch.setenv("NOTIFY_SOCKET", str(systemd.path))
        yield systemd
