"""`prosody-admind --install-units`: what goes where, what stays, and what is refused."""

import os
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from prosody_admin.config import load
from prosody_admin.errors import InstallationError, SettingsError
from prosody_admin.installation import HIDDEN, PLACES, files_to_install
from prosody_admin.main import main

CHECKOUT = Path(__file__).parent.parent
SERVICE = "usr/local/lib/systemd/system/prosody-admin.service"
SETTINGS = "etc/prosody-admin/prosody-admin.toml"

with (CHECKOUT / "pyproject.toml").open("rb") as pyproject:
    DATA_FILES: dict[str, list[str]] = tomllib.load(pyproject)["tool"]["setuptools"]["data-files"]


def wheel(prefix: Path) -> Path:
    """Install what pip would of our wheel, but for the code; return where Python looks for it."""
    packages = prefix / "lib/python/site-packages"
    listed = ["../../../bin/prosody-admind"]
    for directory, patterns in DATA_FILES.items():
        for source in (path for pattern in patterns for path in CHECKOUT.glob(pattern)):
            target = prefix / directory / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            listed.append(f"../../../{directory}/{source.name}")
    about = packages / "prosody_admin-0.1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: prosody-admin\nVersion: 0.1.0\n")
    (about / "RECORD").write_text("".join(f"{name},,\n" for name in listed))
    (prefix / "bin").mkdir()
    (prefix / "bin/prosody-admind").touch()
    return packages


@pytest.fixture
def umask() -> Iterator[None]:
    """The umask of somebody careful."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: None) -> Path:
    """An installation by pip, in a directory that for these tests a service could see."""
    monkeypatch.setattr("prosody_admin.installation.HIDDEN", ("/home", "/root"))
    monkeypatch.syspath_prepend(wheel(tmp_path / "venv"))
    return tmp_path / "venv"


def install(root: Path) -> int:
    return main(["--install-units", "--root", str(root)])


def contents(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def identities(root: Path) -> dict[Path, tuple[int, int]]:
    """Return what a file that is replaced has not in common with the new one."""
    found = ((path, path.stat()) for path in root.rglob("*"))
    return {path: (about.st_ino, about.st_mtime_ns) for path, about in found}


def test_everything_of_the_wheel_has_a_place(prefix: Path, tmp_path: Path) -> None:
    assert install(tmp_path / "root") == os.EX_OK
    pages = list((prefix / "share").glob("man/*/*"))
    assert pages
    expected = {*PLACES.values(), *(f"usr/local/{page.relative_to(prefix)}" for page in pages)}
    assert contents(tmp_path / "root").keys() == expected


def test_the_unit_names_the_program_where_systemd_would_not_find_it(
    prefix: Path, tmp_path: Path
) -> None:
    install(tmp_path / "root")
    unit = (CHECKOUT / "units/prosody-admin.service").read_text(encoding="utf-8")
    by_name, by_path = "ExecStart=prosody-admind ", f"ExecStart={prefix}/bin/prosody-admind "
    assert by_name in unit
    found = contents(tmp_path / "root")
    assert found[SERVICE].decode() == unit.replace(by_name, by_path)


def test_everybody_may_read_it(prefix: Path, tmp_path: Path) -> None:
    install(tmp_path / "root")
    for path in (tmp_path / "root").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o755 if path.is_dir() else 0o644), path


def test_it_says_which_files_it_wrote(
    prefix: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path / "root")
    said = capsys.readouterr().out.splitlines()
    written = [f"wrote {tmp_path}/root/{name}" for name in contents(tmp_path / "root")]
    assert sorted(said) == sorted(written)


def test_a_second_time_changes_nothing(
    prefix: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path / "root")
    before = identities(tmp_path / "root")
    capsys.readouterr()
    assert install(tmp_path / "root") == os.EX_OK
    assert identities(tmp_path / "root") == before
    assert {line[:5] for line in capsys.readouterr().out.splitlines()} == {"kept "}


def test_changed_settings_stay_and_an_old_unit_goes(prefix: Path, tmp_path: Path) -> None:
    install(tmp_path / "root")
    new = contents(tmp_path / "root")
    (tmp_path / "root" / SETTINGS).write_text("[service]\nidle_timeout = 5\n")
    (tmp_path / "root" / SERVICE).write_text("[Service]\nExecStart=something-old\n")
    assert install(tmp_path / "root") == os.EX_OK
    changed = {SETTINGS: b"[service]\nidle_timeout = 5\n"}
    assert contents(tmp_path / "root") == new | changed


def test_a_place_that_cannot_be_written_is_named(
    prefix: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "root").touch()  # of a directory without rights, root would not take notice
    assert install(tmp_path / "root") == os.EX_CANTCREAT
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"prosody-admind: {tmp_path}/root/")
    assert said.err.endswith(": Not a directory\n")


def test_without_a_wheel_it_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.path", [str(CHECKOUT / "service")])
    assert install(tmp_path / "root") == os.EX_UNAVAILABLE
    assert "expected an installation by pip or pipx" in capsys.readouterr().err
    assert not (tmp_path / "root").exists()


def test_a_distributions_package_has_nothing_to_install(
    prefix: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    next(prefix.rglob("RECORD")).unlink()
    assert install(tmp_path / "root") == os.EX_UNAVAILABLE
    assert "expected an installation by pip or pipx" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["hidden", "with blanks"])
def test_where_the_service_could_not_run_is_refused(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hidden = str(tmp_path / "hidden")
    monkeypatch.setattr("prosody_admin.installation.HIDDEN", (hidden,))
    monkeypatch.syspath_prepend(wheel(tmp_path / place))
    with pytest.raises(
        InstallationError, match=f"{tmp_path}/{place}/bin/prosody-admind: .*{hidden}"
    ):
        next(files_to_install(tmp_path / "root"))


def test_hidden_is_what_the_unit_hides() -> None:
    unit = (CHECKOUT / "units/prosody-admin.service").read_text(encoding="utf-8")
    assert "\nProtectHome=yes\n" in unit  # /home and /root
    assert "\nInaccessiblePaths=/tmp /var/tmp " in unit
    assert {*HIDDEN} == {"/home", "/root", "/tmp", "/var/tmp"}


def test_the_most_sessions_have_their_descriptors(tmp_path: Path) -> None:
    unit = (CHECKOUT / "units/prosody-admin.service").read_text(encoding="utf-8")
    most, of_each, of_the_service = 4096, 3, 64
    path = tmp_path / "toml"
    path.write_text(f"[limits]\nsessions = {most + 1}\n")
    with pytest.raises(SettingsError, match=f"from 1 to {most} "):
        load([path])
    (limit,) = re.findall(r"^LimitNOFILE=(\d+)$", unit, re.MULTILINE)
    assert int(limit) >= most * of_each + of_the_service


def test_root_alone_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--root", "/srv/image"])
    assert ended.value.code == os.EX_USAGE
    assert "--root goes with --install-units" in capsys.readouterr().err
