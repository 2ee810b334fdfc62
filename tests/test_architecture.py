"""The rooms of the service: who may import whom."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "service" / "prosody_admin"

# Each may import those before it. `client` is apart: it may import none of FORBIDDEN_TO_CLIENT.
ROOMS = [
    "errors",
    "records",
    "descriptors",
    "protocol",
    "shell",
    "access",
    "events",
    "config",
    "sd",
    "net",
    "modules",
    "arguments",
    "installation",
    "checking",
    "command_line",
    "daemon",
    "main",
    "start",
    "client",
]
FORBIDDEN_TO_CLIENT = {
    *("sd", "net", "modules", "arguments", "installation"),
    *("checking", "command_line", "daemon", "main", "start"),
}

PURE = ["records", "protocol", "shell", "access"]
IMPURE = {"asyncio", "socket", "os", "time", "logging"}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Go through the full names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the room"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    names = (name.split(".") for name in imports(path))
    return {name[1] for name in names if name[0] == "prosody_admin" and len(name) > 1} & {*ROOMS}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_dependencies_point_one_way(path: Path) -> None:
    room = room_of(path)
    if room in {"__init__", "__main__"}:
        return
    assert room in ROOMS, f"{room} is no room of the service"
    allowed = {*ROOMS[: ROOMS.index(room) + 1]}
    if room == "client":
        allowed -= FORBIDDEN_TO_CLIENT
    assert rooms_imported(path) <= allowed


@pytest.mark.parametrize(
    "path",
    [path for path in sources() if room_of(path) in PURE],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_pure_rooms_do_nothing_but_think(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & IMPURE


def test_errors_import_nothing_of_ours() -> None:
    assert rooms_imported(PACKAGE / "errors.py") == set()
