"""`config/`: every key, and what each mistake is told."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from prosody_admin.config import Settings, files, load, reference, settings_files
from prosody_admin.errors import SettingsError

DAY = 86400
SECONDS = "a number of seconds from "
SOCKET = "an absolute path of at most 107 bytes"
NAMES = (
    'a list of at most 64 different names (letters, digits, ".", "-" and "_", 64 of them at most)'
)
LEVELS = 'one of "debug", "info", "warning", "error"'

# What is promised, written out a second time: table, key, default, least, most, expected.
NUMBERS = [
    ("service", "idle_timeout", 60.0, 1, DAY, f"{SECONDS}1 to 86400, or 0: never"),
    ("service", "drain_timeout", 10.0, 0, 300, f"{SECONDS}0 to 300"),
    ("limits", "sessions", 64, 1, 4096, "a whole number from 1 to 4096 (sessions)"),
    ("limits", "sessions_per_uid", 16, 1, 4096, "a whole number from 1 to 4096 (sessions)"),
    ("limits", "pending_commands", 64, 1, 1024, "a whole number from 1 to 1024 (commands)"),
    (
        "limits",
        "stanza_bytes",
        1048576,
        4096,
        16777216,
        "a whole number from 4096 to 16777216 (bytes)",
    ),
    ("limits", "header_timeout", 10.0, 1, 300, f"{SECONDS}1 to 300"),
    ("limits", "stanza_timeout", 30.0, 1, 600, f"{SECONDS}1 to 600"),
    ("limits", "write_timeout", 30.0, 1, 600, f"{SECONDS}1 to 600"),
    ("limits", "keepalive_interval", 240.0, 10, 780, f"{SECONDS}10 to 780"),
    ("prosody", "connect_timeout", 5.0, 0.1, 60, f"{SECONDS}0.1 to 60"),
]
OTHERS = [
    ("service", "log_level", "info"),
    ("prosody", "socket", Path("/var/lib/prosody/prosody.sock")),
    ("modules", "enabled", ()),
    ("audit", "required", True),
]
WHOLE_NUMBERS = [
    (table, key, expected) for table, key, *_, expected in NUMBERS if "whole" in expected
]
TIMES = [(table, key, expected) for table, key, *_, expected in NUMBERS if "seconds" in expected]


def load_text(directory: Path, text: str) -> Settings:
    path = directory / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return load([path])


def load_value(directory: Path, table: str, key: str, value: str) -> Any:
    settings = load_text(directory, f"[{table}]\n{key} = {value}\n")
    return getattr(getattr(settings, table), key)


def mistake(directory: Path, text: str) -> str:
    """Return what is said about a file with `text`, after the file's name."""
    with pytest.raises(SettingsError) as raised:
        load_text(directory, text)
    name = f"{directory / 'settings.toml'}: "
    message = str(raised.value)
    assert message.startswith(name)
    return message.removeprefix(name)


class TestKeys:
    def test_the_tables_here_have_every_key(self) -> None:
        promised = {(table, key) for table, key, *_ in [*NUMBERS, *OTHERS]}
        there = {
            (table.name, key.name)
            for table in dataclasses.fields(Settings)
            if table.name != "policy"  # its tables have a site's own names: tests/access
            for key in dataclasses.fields(getattr(Settings(), table.name))
        }
        assert there == promised

    @pytest.mark.parametrize(
        ("table", "key", "default"), [*(number[:3] for number in NUMBERS), *OTHERS]
    )
    def test_defaults(self, table: str, key: str, default: object) -> None:
        value = getattr(getattr(load([]), table), key)
        assert value == default
        assert type(value) is type(default) or isinstance(value, Path)

    @pytest.mark.parametrize(("table", "key", "default", "least", "most", "expected"), NUMBERS)
    def test_bounds_of_numbers(
        self,
        tmp_path: Path,
        table: str,
        key: str,
        default: float,
        least: float,
        most: float,
        expected: str,
    ) -> None:
        for bound in (least, most):
            value = load_value(tmp_path, table, key, str(bound))
            assert value == bound
            assert type(value) is type(default)
        step = 1 if "whole" in expected else 0.01
        outsides = [least - step, most + step, -1]
        if least > 0 and "or 0" not in expected:
            outsides.append(0)
        for outside in outsides:
            text = f"[{table}]\n{key} = {outside}"
            assert (
                mistake(tmp_path, text) == f"[{table}] {key}: expected {expected}, found {outside}"
            )

    @pytest.mark.parametrize(("table", "key", "expected"), WHOLE_NUMBERS)
    @pytest.mark.parametrize("value", ["true", '"16"', "16.0", "[16]"])
    def test_types_of_whole_numbers(
        self, tmp_path: Path, table: str, key: str, expected: str, value: str
    ) -> None:
        said = mistake(tmp_path, f"[{table}]\n{key} = {value}")
        assert said == f"[{table}] {key}: expected {expected}, found {value}"

    @pytest.mark.parametrize(("table", "key", "expected"), TIMES)
    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("true", "true"),
            ('"16"', '"16"'),
            ("nan", "NaN"),
            ("inf", "Infinity"),
            ("2026-11-22", '"2026-11-22"'),
            ("1" + "0" * 400, "1" + "0" * 59 + "..."),
        ],
    )
    def test_types_of_times(
        self, tmp_path: Path, table: str, key: str, expected: str, value: str, shown: str
    ) -> None:
        said = mistake(tmp_path, f"[{table}]\n{key} = {value}")
        assert said == f"[{table}] {key}: expected {expected}, found {shown}"

    def test_zero_is_below_the_least_idle_timeout_and_allowed(self, tmp_path: Path) -> None:
        assert load_value(tmp_path, "service", "idle_timeout", "0") == 0

    @pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
    def test_log_levels(self, tmp_path: Path, level: str) -> None:
        assert load_value(tmp_path, "service", "log_level", f'"{level}"') == level

    @pytest.mark.parametrize("value", ['"Info"', '"notice"', "6", "[]"])
    def test_other_log_levels(self, tmp_path: Path, value: str) -> None:
        said = mistake(tmp_path, f"[service]\nlog_level = {value}")
        assert said == f"[service] log_level: expected {LEVELS}, found {value}"

    def test_socket_paths(self, tmp_path: Path) -> None:
        longest = "/" + "x" * 106
        assert load_value(tmp_path, "prosody", "socket", f'"{longest}"') == Path(longest)

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ('"prosody.sock"', '"prosody.sock"'),
            ('""', '""'),
            ("7", "7"),
            ('"/a\\u0000b"', '"/a\\u0000b"'),
            (f'"/{"x" * 107}"', f'"/{"x" * 58}...'),
            (f'"/{"€" * 36}"', '"/' + "\\u20ac" * 9 + "\\u20..."),
        ],
    )
    def test_what_is_no_socket_path(self, tmp_path: Path, value: str, shown: str) -> None:
        said = mistake(tmp_path, f"[prosody]\nsocket = {value}")
        assert said == f"[prosody] socket: expected {SOCKET}, found {shown}"

    def test_module_names(self, tmp_path: Path) -> None:
        assert load_value(tmp_path, "modules", "enabled", '["b", "a.B_1-c"]') == ("b", "a.B_1-c")
        assert (
            len(load_value(tmp_path, "modules", "enabled", str([f"m{n}" for n in range(64)]))) == 64
        )

    @pytest.mark.parametrize(
        "value", ['"greeting"', "[1]", '[""]', '["a b"]', '["a", "a"]', '["a\\n"]']
    )
    def test_what_is_no_list_of_names(self, tmp_path: Path, value: str) -> None:
        said = mistake(tmp_path, f"[modules]\nenabled = {value}")
        assert said == f"[modules] enabled: expected {NAMES}, found {value}"

    @pytest.mark.parametrize("names", [["x" * 65], [f"m{number}" for number in range(65)]])
    def test_too_much_for_a_list_of_names(self, tmp_path: Path, names: list[str]) -> None:
        assert f"expected {NAMES}, found [" in mistake(tmp_path, f"[modules]\nenabled = {names}")


class TestNamesThatAreUnknown:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[limits]\nsesions = 1", "[limits] sesions: no such key; did you mean sessions?"),
            (
                "[modules]\nfrobnicate = 1",
                "[modules] frobnicate: no such key; expected one of enabled",
            ),
            (
                "[service.limits]\nsessions = 1",
                "[service] limits: no such key;"
                " expected one of idle_timeout, drain_timeout, log_level",
            ),
            ("[limit]\nsessions = 1", "[limit]: no such table; did you mean limits?"),
            (
                "[xyz]",
                "[xyz]: no such table; expected one of service, limits, prosody, audit, modules,"
                " roles, grants, commands",
            ),
            ("sessions = 1", "sessions: expected in table [limits], found outside of any"),
            (
                "xyz = 1",
                "xyz: no such key, and none may be outside of a table;"
                " expected one of service, limits, prosody, audit, modules, roles, grants,"
                " commands",
            ),
            ("limits = 3", "limits: expected a table, found 3"),
            ("[[limits]]\nsessions = 1", 'limits: expected a table, found [{"sessions": 1}]'),
        ],
    )
    def test_each_says_what_would_be_right(self, tmp_path: Path, text: str, said: str) -> None:
        assert mistake(tmp_path, text) == said


class TestFiles:
    def test_later_files_override_key_by_key_and_lists_as_a_whole(self, tmp_path: Path) -> None:
        first, second = tmp_path / "1.toml", tmp_path / "2.toml"
        first.write_text('[limits]\nsessions = 1\nsessions_per_uid = 1\n[modules]\nenabled = ["a"]')
        second.write_text('[limits]\nsessions = 2\n[modules]\nenabled = ["b"]')
        settings = load([first, second])
        assert settings.limits.sessions == 2
        assert settings.limits.sessions_per_uid == 1
        assert settings.modules.enabled == ("b",)
        assert load([second, first]).limits.sessions == 1

    def test_a_mistake_names_its_own_file(self, tmp_path: Path) -> None:
        right, wrong = tmp_path / "1.toml", tmp_path / "2.toml"
        right.write_text("[limits]\nsessions = 1")
        wrong.write_text("[limits]\nsessions = 0")
        with pytest.raises(SettingsError) as raised:
            load([right, wrong, right])
        assert str(raised.value) == (
            f"{wrong}: [limits] sessions:"
            " expected a whole number from 1 to 4096 (sessions), found 0"
        )

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                "[limits]\nsessions == 3\n",
                "expected TOML: Invalid value (at line 2, column 11)",
            ),
            ("[limits]\n\nsessions =", "expected TOML: Invalid value (at line 3, the end)"),
            (
                "[limits]\nsessions = 1\nsessions = 2\n",
                "expected TOML: Cannot overwrite a value (at line 3, column 13)",
            ),
            (f"[limits]\nsessions = {'1' * 5000}", "expected numbers of fewer digits"),
            (
                f"[limits]\nsessions = 0x{'f' * 5000}",
                "[limits] sessions: expected a whole number from 1 to 4096 (sessions), found a"
                " number of more digits than can be shown",
            ),
            (f"sessions = {'[' * 5000}", "expected fewer lists or tables in each other"),
        ],
    )
    def test_what_is_no_toml_is_said_with_its_line(
        self, tmp_path: Path, text: str, said: str
    ) -> None:
        assert mistake(tmp_path, text) == said

    def test_what_is_no_utf_8_is_said_with_its_line(self, tmp_path: Path) -> None:
        path = tmp_path / "latin.toml"
        path.write_bytes(b"[limits]\n# gr\xfc\xdfe\n")
        with pytest.raises(SettingsError) as raised:
            load([path])
        assert str(raised.value) == f"{path}: expected UTF-8 (at line 2)"

    def test_a_file_that_was_named_must_exist(self, tmp_path: Path) -> None:
        path = tmp_path / "missing.toml"
        with pytest.raises(SettingsError) as raised:
            load(settings_files(path))
        assert str(raised.value) == f"{path}: cannot be read: No such file or directory"

    def test_an_empty_file_changes_nothing(self, tmp_path: Path) -> None:
        assert load_text(tmp_path, "") == Settings()


class TestSettingsFiles:
    @pytest.fixture
    def main(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The place of the main file, where none is yet."""
        path = tmp_path / "prosody-admin.toml"
        monkeypatch.setattr(files, "MAIN_FILE", path)
        return path

    def test_the_place_is_the_documented_one(self) -> None:
        assert str(files.MAIN_FILE) == "/etc/prosody-admin/prosody-admin.toml"

    def test_none_is_needed(self, main: Path) -> None:
        assert settings_files() == []

    def test_the_main_file_then_its_drop_ins_by_name(self, main: Path) -> None:
        drop_ins = main.with_name("prosody-admin.toml.d")
        drop_ins.mkdir()
        for name in ("20-b.toml", "10-a.toml", "README", "30-c.toml~"):
            (drop_ins / name).touch()
        expected = [drop_ins / "10-a.toml", drop_ins / "20-b.toml"]
        assert settings_files() == expected
        main.touch()
        assert settings_files() == [main, *expected]

    def test_a_named_file_has_drop_ins_of_its_own(self, main: Path, tmp_path: Path) -> None:
        main.touch()
        named = tmp_path / "other.toml"
        (tmp_path / "other.toml.d").mkdir()
        (tmp_path / "other.toml.d" / "x.toml").touch()
        assert settings_files(named) == [named, tmp_path / "other.toml.d" / "x.toml"]

    def test_what_cannot_be_looked_at_is_not_missing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setattr(files, "MAIN_FILE", tmp_path / "file" / "prosody-admin.toml")
        with pytest.raises(SettingsError) as raised:
            settings_files()
        assert str(raised.value) == (
            f"{tmp_path}/file/prosody-admin.toml: cannot be read: Not a directory"
        )


class TestReference:
    def test_it_is_a_file_that_sets_the_defaults(self, tmp_path: Path) -> None:
        assert load_text(tmp_path, reference()) == Settings()

    @pytest.mark.parametrize(("table", "key", "default", "least", "most", "expected"), NUMBERS)
    def test_it_gives_the_bounds_of_each_key(
        self, table: str, key: str, default: float, least: float, most: float, expected: str
    ) -> None:
        section = reference().partition(f"[{table}]\n")[2]
        assert f"\n# Takes {expected}.\n{key} = {int(default)}\n" in section

    def test_each_key_looks_like_this(self) -> None:
        assert reference().startswith(
            "# The life of the service as a whole.\n"
            "[service]\n"
            "# Without a session for this long, the service exits;"
            " the next connection starts it again.\n"
            "# Takes a number of seconds from 1 to 86400, or 0: never.\n"
            "idle_timeout = 60\n"
            "\n"
        )
