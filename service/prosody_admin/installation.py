"""What pip does not put where systemd looks: the units, and all that goes with them."""

import os
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from prosody_admin.errors import InstallationError

PLACES = {
    "prosody-admin.service": "usr/local/lib/systemd/system/prosody-admin.service",
    "prosody-admin.socket": "usr/local/lib/systemd/system/prosody-admin.socket",
    "prosody-admin.catalog": "usr/local/lib/systemd/catalog/prosody-admin.catalog",
    "prosody-admin.sysusers": "usr/local/lib/sysusers.d/prosody-admin.conf",
    "prosodyctl.cfg.lua": "usr/share/prosody-admin/prosodyctl.cfg.lua",
    "prosody-admin.toml": "etc/prosody-admin/prosody-admin.toml",
    "prosody-adminctl.bash": "usr/local/share/bash-completion/completions/prosody-adminctl",
    "_prosody-adminctl": "usr/local/share/zsh/site-functions/_prosody-adminctl",
    "prosody-adminctl.fish": "usr/local/share/fish/vendor_completions.d/prosody-adminctl.fish",
}
"""Where the files in share/prosody-admin/install of a wheel go, below the root directory.

The rest of share, which are the manual pages, goes to usr/local/share.
"""

HIDDEN = ("/home", "/root", "/tmp", "/var/tmp")  # noqa: S108 - only compared with
"""Where the service cannot be: ProtectHome= and InaccessiblePaths= in its unit hide these."""

NEXT = """
Now, and after each upgrade, as root:

    systemd-sysusers
    journalctl --update-catalog
    systemctl daemon-reload
    systemctl try-restart prosody-admin.service

The first time, then: systemctl enable --now prosody-admin.socket
"""


def install_units(root: Path | None) -> int:
    """Put the files below `root` or /, say which, and return the exit status, after sysexits.h.

    Settings that are there stay as they are. Of everything else, what differs is replaced, each
    file as a whole.
    """
    root = root or Path("/")
    os.umask(0o022)  # whoever installs: everybody may read it
    try:
        for path, content in files_to_install(root):
            wrote = _write(path, content, replace=not path.is_relative_to(root / "etc"))
            sys.stdout.write(f"{'wrote' if wrote else 'kept '} {path}\n")
    except InstallationError as error:
        sys.stderr.write(f"prosody-admind: {error}\n")
        return os.EX_UNAVAILABLE
    except OSError as error:
        sys.stderr.write(f"prosody-admind: {error.filename}: {error.strerror}\n")
        return os.EX_CANTCREAT
    if root == Path("/"):
        sys.stdout.write(NEXT)
    return os.EX_OK


def files_to_install(root: Path) -> Iterator[tuple[Path, bytes]]:
    """Go through the files of the installed wheel by where they belong below `root`.

    The unit names the program by its path unless systemd finds it without.

    Raises InstallationError, before the first file, if this was not installed from a wheel, or is
    where the service would not see it; OSError for a file that cannot be read.
    """
    try:
        listed = metadata.files("prosody-admin") or []  # a distribution's package has no list
    except metadata.PackageNotFoundError:
        listed = []
    sources = {entry.as_posix(): Path(str(entry.locate())).resolve() for entry in listed}
    program = next((path for path in sources.values() if path.name == "prosody-admind"), None)
    if program is None:
        raise InstallationError("--install-units: expected an installation by pip or pipx")
    if any(map(program.is_relative_to, HIDDEN)) or re.search(r"[^\w/.+@-]", str(program)):
        raise InstallationError(
            f"{program}: the service cannot be run there; expected a path without blanks and below "
            f"none of {', '.join(HIDDEN)}"
        )
    for name, source in sources.items():
        _, shared, below = name.partition("../share/")
        if not shared:
            continue
        content = source.read_bytes()
        if program.parent not in {Path("/usr/local/bin"), Path("/usr/bin")}:
            content = content.replace(b"ExecStart=prosody-admind", b"ExecStart=" + bytes(program))
        ours = below.startswith("prosody-admin/install/")
        yield root / (PLACES[source.name] if ours else f"usr/local/share/{below}"), content


def _write(path: Path, content: bytes, *, replace: bool) -> bool:
    """Make a file with this content; return False if it is there, so or not to be replaced."""
    if path.exists() and (not replace or path.read_bytes() == content):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_bytes(content)
    unfinished.replace(path)
    return True
