"""Completion in the shells themselves: what they know alone, and what they ask the client for."""

import os
import re
import select
import shutil
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prosody_admin.client.completing.word_suggestions import divided
from prosody_admin.client.verbs import VERBS
from prosody_admin.shell.catalogue import shipped

COMPLETIONS = Path(__file__).parents[2] / "packaging" / "completions"
PATIENCE = 20.0
"""Seconds that a shell may take to show something."""

CLIENT = r"""#!/bin/sh
echo "$*" >>"$ASKED"
case $* in
*--session=*) printf '%s\t%s\n' --session=k1 root ;;
*) printf '%s\t%s\n' juliet@example.com account example.com host '$(touch pwned)@e.com' account ;;
esac
"""
"""Stands for prosody-adminctl: keeps what it was asked, and knows names of a server."""

SECTIONS = sorted({command.section for command in shipped()})


def options_of(*words: str) -> set[str]:
    """Return the options that may follow these words."""
    return {*divided(words).options}


def commands_of(section: str) -> set[str]:
    return {command.name for command in shipped() if command.section == section}


class Surroundings:
    """A directory with a client that is no client, and the environment to find it in."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._asked = directory / "asked"
        client = directory / "bin/prosody-adminctl"
        client.parent.mkdir()
        client.write_text(CLIENT, encoding="utf-8")
        client.chmod(0o755)
        self.environment = {
            "PATH": f"{client.parent}:{os.environ['PATH']}",
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "PS1": "ready> ",
            "ASKED": str(self._asked),
        }

    def asked(self) -> list[str]:
        """Return what the client was asked since the last time."""
        if not self._asked.exists():
            return []
        lines = self._asked.read_text(encoding="utf-8").splitlines()
        self._asked.unlink()
        return lines


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    return Surroundings(tmp_path)


def needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


# bash and fish tell what they would offer.


def with_bash(surroundings: Surroundings, lines: list[str]) -> dict[str, set[str]]:
    """Return what the completion of bash offers for each line, as it would be inserted."""
    script = """
        . "$1"
        while IFS= read -r COMP_LINE; do
            COMP_POINT=${#COMP_LINE} COMPREPLY=()
            _prosody_adminctl
            printf '%s\\t' "$COMP_LINE" "${COMPREPLY[@]}"
            echo
        done"""
    argv = ["bash", "--norc", "-c", script, "bash", str(COMPLETIONS / "prosody-adminctl.bash")]
    return _offered(argv, surroundings, "".join(f"{line}\n" for line in lines))


def with_fish(surroundings: Surroundings, lines: list[str]) -> dict[str, set[str]]:
    """Return what the completion of fish offers for each line."""
    script = """
        source $argv[1]
        while read -l line
            set -l found (complete -C $line | string replace -r '\\t.*' '')
            string join -- \\t $line $found
        end
        true"""
    argv = ["fish", "--no-config", "-c", script, str(COMPLETIONS / "prosody-adminctl.fish")]
    return _offered(argv, surroundings, "".join(f"{line}\n" for line in lines))


def _offered(argv: list[str], surroundings: Surroundings, lines: str) -> dict[str, set[str]]:
    needs(argv[0])
    ended = subprocess.run(
        argv,
        input=lines,
        capture_output=True,
        text=True,
        env=surroundings.environment,
        cwd=surroundings.directory,
        check=True,
        timeout=PATIENCE,
    )
    assert ended.stderr == ""
    answers = (line.split("\t") for line in ended.stdout.splitlines())
    return {line: set(filter(None, found)) for line, *found in answers}


Offered = Callable[[Surroundings, list[str]], dict[str, set[str]]]

BOTH = pytest.mark.parametrize("offered", [with_bash, with_fish], ids=["bash", "fish"])


@BOTH
def test_verbs_sections_commands_and_options_are_those_there_are(
    offered: Offered, surroundings: Surroundings
) -> None:
    expected = {
        "prosody-adminctl ": {*VERBS, *SECTIONS, "help"},
        "prosody-adminctl help ": {*SECTIONS},
        "prosody-adminctl -": options_of(),
    }
    expected |= {f"prosody-adminctl {verb} -": options_of(verb) for verb in VERBS}
    expected |= {f"prosody-adminctl {section} ": commands_of(section) for section in SECTIONS}
    assert offered(surroundings, [*expected]) == expected
    assert surroundings.asked() == []


@BOTH
@pytest.mark.parametrize(
    ("line", "words", "asked"),
    [
        ("user list e", {"example.com"}, "user list e"),
        (
            "-q --json short user delete ju",
            {"juliet@example.com"},
            "-q --json short user delete ju",
        ),
        (
            "--socket=x -H h user delete ju",
            {"juliet@example.com"},
            "--socket=x -H h user delete ju",
        ),
        ("close e", {"example.com"}, "close e"),
        ("log --session e", {"example.com"}, "log --session e"),
        ("nonesuch e", {"example.com"}, "nonesuch e"),
        ("-q user list_", {"list_inactive"}, None),
        ("--json p", {"pretty"}, None),
        ("log --since=y", {"yesterday"}, None),
        ("log -f --ref", {"--refused"}, None),
        ("status ", set(), None),
    ],
)
def test_names_are_asked_for_where_they_are_wanted(
    offered: Offered, surroundings: Surroundings, line: str, words: set[str], asked: str | None
) -> None:
    (found,) = offered(surroundings, [f"prosody-adminctl {line}"]).values()
    # fish tells the option before the value, bash takes it for a word of its own.
    assert {word.rpartition("=")[2] for word in found} == words
    assert {*surroundings.asked()} == ({f"__complete {asked}"} if asked else set())


@BOTH
def test_without_an_answer_the_rest_remains(offered: Offered, surroundings: Surroundings) -> None:
    failing = "#!/bin/sh\necho no >&2\nexit 4\n"
    (surroundings.directory / "bin/prosody-adminctl").write_text(failing, encoding="utf-8")
    lines = ["prosody-adminctl server sh", "prosody-adminctl user list "]
    assert [*offered(surroundings, lines).values()] == [{"shutdown"}, set()]


def test_bash_is_given_names_as_words(surroundings: Surroundings) -> None:
    (found,) = with_bash(surroundings, ["prosody-adminctl user list $"]).values()
    assert found == {r"\$\(touch\ pwned\)@e.com"}


# At a terminal, which is the only place where zsh completes anything.


class Typed:
    """An interactive shell, and what it shows."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._shown = ""

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def expect(self, pattern: str) -> str:
        """Wait until `pattern` is on the screen behind what was found before.

        Return all up to its end.
        """
        deadline = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self._shown)) is None:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._terminal], [], [], max(0.0, left))
            assert ready, f"no {pattern!r} but {self._shown!r}"
            self._shown += os.read(self._terminal, 65536).decode(errors="replace")
        before, self._shown = self._shown[: found.end()], self._shown[found.end() :]
        return before


SHELLS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        f"bind 'set completion-query-items 0' 'set page-completions off'"
        f"; . {COMPLETIONS}/prosody-adminctl.bash",
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        f"LISTMAX=-1; fpath=({COMPLETIONS} $fpath); autoload -U compinit; compinit -u -D",
    ),
}


@contextmanager
def at_terminal(shell: str, surroundings: Surroundings) -> Iterator[Typed]:
    """Start a shell with its completion at a terminal of its own."""
    needs(shell)
    argv, preparation = SHELLS[shell]
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (100, 200))
    process = subprocess.Popen(
        argv,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=surroundings.environment,
        cwd=surroundings.directory,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        typed = Typed(ours)
        typed.expect("ready> ")
        typed.type(f"{preparation}; echo pre''pared\n")
        typed.expect("prepared\r?\n")
        typed.expect("ready> ")
        yield typed
    finally:
        process.kill()  # an interactive shell does not mind SIGTERM
        process.wait()
        os.close(ours)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("whoa", "whoami "),
        ("mu", "muc "),
        ("server shu", "server shutdown "),
        ("-q server shu", "-q server shutdown "),
        ("log --refu", "log --refused "),
        ("user list exa", "user list example.com "),
        ("user delete juliet@ex", "user delete juliet@example.com "),
        ("log --session=k", "log --session=k1 "),
        ("close jul", "close juliet@example.com "),
        ("-f asc", "-f ascript "),
    ],
)
def test_a_word_is_completed(
    surroundings: Surroundings, shell: str, line: str, becomes: str
) -> None:
    (surroundings.directory / "ascript").touch()
    with at_terminal(shell, surroundings) as typed:
        typed.type(f"prosody-adminctl {line}\t")
        typed.expect(re.escape(f"prosody-adminctl {becomes.strip()}"))


@pytest.mark.parametrize("shell", SHELLS)
def test_no_name_is_run(surroundings: Surroundings, shell: str) -> None:
    with at_terminal(shell, surroundings) as typed:
        typed.type("prosody-adminctl user list \t\t")
        typed.expect("juliet@example.com")
        typed.type("\x15echo do''ne\n")
        typed.expect("done\r?\n")
    assert not (surroundings.directory / "pwned").exists()
    assert {*surroundings.asked()} == {"__complete user list "}


def test_zsh_knows_what_the_others_know(surroundings: Surroundings) -> None:
    source = (COMPLETIONS / "_prosody-adminctl").read_text(encoding="utf-8")
    table = source.partition("commands=(")[2].partition("\n\t)")[0]
    commands = {name: {*names.split()} for name, names in re.findall(r"(\w+) '([^']*)'", table)}
    assert commands == {section: commands_of(section) for section in SECTIONS}
    table = source.partition("verbs=(")[2].partition("\n\t)")[0]
    assert {*re.findall(r"'(\w+):", table)} == {*VERBS}
    with at_terminal("zsh", surroundings) as typed:
        for words in ([], *([verb] for verb in VERBS)):
            line = " ".join(["prosody-adminctl", *words, "-"])
            typed.type(f"\x15{line}\t")
            listed = typed.expect(rf"\n.*ready> {re.escape(line)}")
            assert {*re.findall(r"(?<!\S)--?[A-Za-z][\w-]*", listed)} - {"-"} == options_of(*words)
