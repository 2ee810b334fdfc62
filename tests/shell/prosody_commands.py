"""The commands that a real Prosody has, held against the catalogue.

A transcript is what a Prosody answers to the lines of `lines_to_ask`. Those of 0.12 and 13, with
every module loaded that brings commands, are in `data/`; to look at a running one:

    def ask(line: str) -> str:
        return machine.run("prosodyctl", "shell", line, check=True).stdout

    assert problems(transcript(ask), shipped()) == []

The line that lists the console's environment is raw Lua: asked through the service it needs a role
that may send it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from prosody_admin.shell.catalogue import Catalogue, FlagKind

DATA = Path(__file__).with_name("data")
PROMPT = "prosody> "

ENVIRONMENT = (
    ">local found = {}"
    " local admin_shell = require'core.modulemanager'.get_module('*', 'admin_shell')"
    " for name, section in pairs(admin_shell.module:shared('env')) do"
    " if type(section) == 'table' then"
    " local help = (getmetatable(section) or {}).help"
    " for command, run in pairs(section) do"
    " if type(run) == 'function' then"
    " local described = help and help.commands[command]"
    " local line = name..':'..command"
    " if described and described.flags then"
    " line = line..' '..#described.args"
    " for kind, flags in pairs(described.flags) do"
    " local short = kind:match('^(%l+)_params$')"
    " for flag, wanted in pairs(short and flags or {}) do"
    " if wanted then line = line..' '..flag..'='..short end"
    " end end end"
    " found[#found + 1] = line"
    " end end end end"
    " table.sort(found)"
    " return table.concat(found, '\\n')"
)
"""Lists each function of the console's environment, with the number of arguments and the flags of
those that have flags: `section:command [parameters name=kind ...]`."""

_LISTED = re.compile(r"^(?:Result: )?(\w+:\w+)(?: (\d+)((?: \w+=\w+)*))?$", re.MULTILINE)


def transcript(ask: Callable[[str], str]) -> dict[str, str]:
    """Ask a Prosody for all its commands; `ask` sends a line and returns everything printed."""
    environment = ask(ENVIRONMENT)
    sections = sorted({name.split(":")[0] for name, _, _ in _LISTED.findall(environment)})
    return {ENVIRONMENT: environment} | {f"help {name}": ask(f"help {name}") for name in sections}


def problems(answers: Mapping[str, str], catalogue: Catalogue) -> list[str]:
    """Return what the catalogue does not have or has otherwise, in words; best is none."""
    listed = _LISTED.findall(answers[ENVIRONMENT])
    assert listed, "the console lists no command"
    found = [
        f"{full_name} is missing"
        for full_name in sorted({*(name for name, _, _ in listed), *_described(answers)})
        if catalogue.get(*full_name.split(":")) is None
    ]
    for full_name, parameters, flags in listed:
        known = catalogue.get(*full_name.split(":"))
        if known is None or not flags:
            continue
        if known.parameters != int(parameters):
            found.append(f"{full_name} has {parameters} arguments before its flags")
        for flag, kind in (flag.split("=") for flag in flags.split()):
            if known.flags.get(flag) != FlagKind(kind):
                found.append(f"{full_name} has the flag {flag} of the kind {kind}")
    return found


def read(version: str) -> dict[str, str]:
    """Return the transcript of a version in `data/`."""
    _, *blocks = (DATA / f"{version}.txt").read_text(encoding="utf-8").split(PROMPT)
    return {line: output for line, _, output in (block.partition("\n") for block in blocks)}


def written(answers: Mapping[str, str]) -> str:
    """Return the text that `read` reads a transcript from, without what describes a command."""
    return "".join(
        f"{PROMPT}{line}\n" + "".join(f"{kept}\n" for kept in _kept(line, output))
        for line, output in answers.items()
    )


def _kept(line: str, output: str) -> list[str]:
    if line == ENVIRONMENT:
        return output.splitlines()
    section = line.removeprefix("help ")
    named = (
        found[0].rstrip() for found in map(_describes(section).match, output.splitlines()) if found
    )
    return list(named)


def _described(answers: Mapping[str, str]) -> Iterator[str]:
    for line, output in answers.items():
        section = line.removeprefix("help ")
        for found in map(_describes(section).match, output.splitlines()):
            if found:
                yield f"{section}:{found[1]}"


def _describes(section: str) -> re.Pattern[str]:
    """Match a command in the help of a section: `s:c(x)`, or `s c <x>` where no prompt is."""
    return re.compile(rf"{section}[: ](\w+)(?:\(.*?\)| <.*>| ?$)")
