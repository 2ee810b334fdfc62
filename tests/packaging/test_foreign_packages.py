"""The packages for Fedora and Arch Linux, built with Debian's rpmbuild and makepkg.

What cannot be had here is not tried: their dependencies, Fedora's own macros (fedora.macros stands
in for them) and their installation.
"""

import gzip
import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from system.machine import CHECKOUT, unavailable
from system.packages import built

pytestmark = pytest.mark.system

SPEC = CHECKOUT / "packaging/rpm/prosody-admin.spec"
MACROS = f"--load={CHECKOUT}/tests/packaging/fedora.macros"
SETTINGS = "/etc/prosody-admin/prosody-admin.toml"
SECONDS = 120.0
"""Deadline of one command, ten times what a build takes."""

# As in Arch Linux, but for the compression of the package, which only takes time.
MAKEPKG_CONF = """\
CARCH=x86_64
CHOST=x86_64-pc-linux-gnu
OPTIONS=(strip docs !libtool !staticlibs emptydirs zipman purge debug lto)
MAN_DIRS=(usr/share/man)
COMPRESSGZ=(gzip -c -f -n)
PKGEXT=.pkg.tar
SRCEXT=.src.tar.gz
"""

# Debian has no `python`.
PYTHON = """\
#!/bin/sh
exec /usr/bin/python3 "$@"
"""

MOVED = {
    "^/lib/": "/usr/lib/",  # in Debian 12 systemd looks for units there
    "^/usr/share/zsh/vendor-completions/": "/usr/share/zsh/site-functions/",  # only in Debian
}
LEFT_OUT = (
    "/__pycache__($|/)",  # made by Debian where it is installed, by others with the package
    r"\.dist-info/.",  # what installs a wheel leaves notes of its own
    "^/usr/share/(doc|licenses|lintian)/",  # each has other documents, and a place for the licence
    r"^/\.[A-Z]+$",  # what pacman knows of the package
)


class Entry(NamedTuple):
    """How a file or directory is in a package."""

    mode: str
    """As `ls` shows it."""
    owner: str
    """User and group, with a slash between them."""


def run(*command: str | Path) -> str:
    """Return what `command` prints. Raises subprocess.CalledProcessError."""
    return subprocess.run(
        command, stdout=subprocess.PIPE, text=True, timeout=SECONDS, check=True
    ).stdout


def build(directory: Path, *command: str) -> None:
    """Run `command` in `directory`, and not as root: makepkg refuses.

    Of the unit tests it only finds out which there are; they are run elsewhere.

    Raises AssertionError, with the end of what it wrote, unless it exits with 0.
    """
    (directory / "bin").mkdir()
    (directory / "bin/python").write_text(PYTHON)
    (directory / "bin/python").chmod(0o755)
    environment = {
        "PATH": f"{directory}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
        "DEB_PYTHON_INSTALL_LAYOUT": "deb",  # not below /usr/local
        "PACMAN": "true",  # makepkg writes down what is installed: here, nothing
        "PYTEST_ADDOPTS": "--collect-only",
    }
    # By a user namespace, in which root's own files stay accessible.
    unprivileged = () if os.geteuid() else ("unshare", "--user", "--map-user=1", "--map-group=1")
    with (directory / "log").open("w+") as log:
        ended = subprocess.run(
            (*unprivileged, *command),
            cwd=directory,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
        log.seek(0)
        assert ended.returncode == 0, log.read()[-10_000:]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, as both take it."""
    made = subprocess.run(
        [CHECKOUT / "packaging/source-archive"], stdout=subprocess.PIPE, check=True
    ).stdout
    version = run("rpmspec", "--query", "--srpm", "--queryformat=%{VERSION}", MACROS, SPEC)
    path = tmp_path_factory.mktemp("source") / f"prosody-admin-{version}.tar.gz"
    path.write_bytes(gzip.compress(made, mtime=0))
    return path


@pytest.fixture(scope="module")
def rpm(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The binary package for Fedora; the source package lies in the directory above."""
    directory = tmp_path_factory.mktemp("rpm")
    places = {
        "_topdir": directory,
        "_sourcedir": source.parent,
        "_tmppath": directory,
        "_rpmdir": directory,
        "_srcrpmdir": directory,
    }
    defined = (f"--define={name} {place}" for name, place in places.items())
    build(directory, "rpmbuild", "-ba", "--nodeps", MACROS, *defined, str(SPEC))
    (package,) = directory.glob("noarch/*.rpm")
    return package


@pytest.fixture(scope="module")
def arch(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for Arch Linux."""
    directory = tmp_path_factory.mktemp("arch")
    for path in (*(CHECKOUT / "packaging/arch").iterdir(), source):
        (directory / path.name).write_bytes(path.read_bytes())
    (directory / "makepkg.conf").write_text(MAKEPKG_CONF)
    build(directory, "makepkg", "--nodeps", "--config=./makepkg.conf")
    (package,) = directory.glob("*.pkg.tar")
    return package


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def deb(request: pytest.FixtureRequest) -> Path:
    """The package for each release of Debian."""
    if (reason := unavailable()) is not None:
        pytest.skip(reason)
    return built(request.param)


def files(package: Path) -> dict[str, Entry]:
    """Return what is in a package, but for what is left out, by paths as in Fedora and Arch.

    Of the directories, only those that are the package's own.
    """
    lister: dict[str, tuple[str, ...]] = {
        ".deb": ("dpkg-deb", "--contents"),
        ".tar": ("tar", "--list", "--verbose", "--file"),
        ".rpm": (
            *("rpm", "--query", "--nosignature", "--queryformat"),
            "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} - - - %{FILENAMES}\n]",
            "--package",
        ),
    }
    found = {}
    for line in run(*lister[package.suffix], package).splitlines():
        mode, owner, *_, name = line.partition(" -> ")[0].split()
        path = "/" + name.removeprefix("./").strip("/")
        for pattern, place in MOVED.items():
            path = re.sub(pattern, place, path)
        if mode.startswith("d") and not re.search("prosody.admin", path):
            continue
        if not any(re.search(pattern, path) for pattern in LEFT_OUT):
            found[path] = Entry(mode, owner)
    return found


def modes(package: Path) -> dict[str, str]:
    """Return the modes of what is in a package.

    Manual pages that only refer to another one are links in Debian, files elsewhere, and here.
    """
    found = {path: entry.mode for path, entry in files(package).items()}
    links = {path for path, mode in found.items() if mode.startswith("l")}
    return found | {path: "-rw-r--r--" for path in links if path.startswith("/usr/share/man/")}


def test_the_rpm_has_the_files_of_the_deb(rpm: Path, deb: Path) -> None:
    assert modes(rpm) == modes(deb)


def test_the_arch_package_has_the_files_of_the_deb(arch: Path, deb: Path) -> None:
    assert modes(arch) == modes(deb)


def test_all_is_owned_by_root_and_the_settings_by_the_group_that_reads_them(
    rpm: Path, arch: Path
) -> None:
    """In the rpm: pacman has numbers and no names, so that is for prosody-admin.install."""
    owners = {path: entry.owner for path, entry in files(rpm).items()}
    assert owners.pop(SETTINGS) == "root/prosody-admin"
    assert {*owners.values()} == {"root/root"}
    assert {entry.owner for entry in files(arch).values()} == {"root/root"}


def test_the_settings_alone_are_configuration(rpm: Path, arch: Path, deb: Path) -> None:
    flags = run("rpm", "-qp", "--nosignature", "--qf=[%{FILEFLAGS:fflags} %{FILENAMES}\n]", rpm)
    configuration = [line for line in flags.splitlines() if "c" in line.split(" ")[0]]
    assert configuration == [f"cn {SETTINGS}"]  # c: configuration, n: not replaced once changed
    about = run("tar", "--extract", "--to-stdout", "--file", arch, ".PKGINFO")
    assert re.findall("^backup = (.*)$", about, re.MULTILINE) == [SETTINGS.removeprefix("/")]
    assert run("dpkg-deb", "--info", deb, "conffiles") == f"{SETTINGS}\n"


def test_rpmlint_finds_nothing(rpm: Path) -> None:
    linted = subprocess.run(
        [
            *("rpmlint", "--strict", f"--config={SPEC.with_name('rpmlint.toml')}"),
            *(SPEC, rpm, *rpm.parents[1].glob("*.src.rpm")),
        ],
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout
    assert "2 packages and 1 specfiles checked; 0 errors, 0 warnings" in linted.stdout
