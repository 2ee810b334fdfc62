"""What the command line of prosody-admind says, without what it takes to read one."""

from pathlib import Path
from typing import Literal

OF_THE_UNIT = ("--log-target=journal",)
"""The arguments that prosody-admin.service starts the daemon with."""


class Arguments:
    """The options by name, at their defaults: what argparse fills in."""

    config: Path | None = None
    check_config = False
    check: str | None = None
    account: str | None = None
    listen: Path | None = None
    log_target: Literal["auto", "journal", "console"] = "auto"
    install_units = False
    root: Path | None = None

    @property
    def only_asks(self) -> bool:
        """Whether the settings are all that is asked about, and nobody is to be served."""
        return self.check_config or self.check is not None
