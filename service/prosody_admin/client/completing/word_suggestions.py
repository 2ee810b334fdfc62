"""What the last word of a command line may become: an option, a verb, a name of the server."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prosody_admin.client.completing.names import Names
from prosody_admin.client.completing.suggestions import Named, arguments
from prosody_admin.client.options import command_line_parser, verb_parser
from prosody_admin.client.verbs import VERBS
from prosody_admin.shell.catalogue import FlagKind, shipped

Options = Mapping[str, argparse.Action]
"""What there is to each option, by its spellings."""


@dataclass
class Divided:
    """Words before the one that is typed, and what they leave to it.

    `options` are those that may come next, `wanted` is the one whose value comes next, `plain` are
    the words that are neither options nor the verb. An option is `given` by its name in the parser.
    """

    options: Options
    verb: str = ""
    plain: list[str] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    wanted: argparse.Action | None = None


def divided(words: Sequence[str]) -> Divided:
    """Tell the options among words from the rest, as far as they are right."""
    line = Divided(_spellings(command_line_parser()))
    for word in words:
        spelling, equals, value = word.partition("=")
        if line.wanted:
            line.given[line.wanted.dest] = word
            line.wanted = None
        elif word in line.options:
            line.wanted = line.options[word] if line.options[word].nargs is None else None
        elif equals and spelling in line.options:
            line.given[line.options[spelling].dest] = value
        elif word[:2] in line.options:
            line.given[line.options[word[:2]].dest] = word[2:]
        elif line.options and word.startswith("-"):
            pass  # no option, as others will say
        elif not line.verb and not line.plain and word in VERBS:
            line.verb, line.options = word, _spellings(verb_parser(word))
        else:
            line.plain.append(word)
            if not line.verb:
                line.options = {}  # what follows is for Prosody
    return line


def word_suggestions(words: Sequence[str], names: Names) -> list[Named]:
    """Return what the last of the words of a command line may become, by name.

    What `names` do not tell is taken from the catalogue. For files, other hosts and users of this
    machine there is nothing: the shells know these themselves.
    """
    *before, typed = words
    line = divided(before)
    spelling, equals, _ = typed.partition("=")
    if line.wanted:
        found = _values(line.wanted, names)
    elif equals and spelling in line.options:
        values = _values(line.options[spelling], names)
        found = [(f"{spelling}={value}", meaning) for value, meaning in values]
    elif line.options and typed.startswith("-"):
        found = [(name, action.help or "") for name, action in line.options.items()]
    elif line.verb:
        found = names.sessions() if line.verb == "close" else []
    else:
        found = _of_command(line.plain, typed, names)
    return sorted(named for named in found if named[0].startswith(typed))


def _values(option: argparse.Action, names: Names) -> list[Named]:
    if option.choices:
        return [(str(choice), "") for choice in option.choices]
    match option.dest:
        case "session":
            return names.sessions()
        case "command":
            return [(f"{each.section}:{each.name}", each.command_class) for each in shipped()]
        case _:
            return []


def _of_command(plain: Sequence[str], typed: str, names: Names) -> list[Named]:
    """Return what may follow the words of a command of Prosody."""
    match plain:
        case []:
            verbs = [(verb, summary) for verb, (_, summary) in VERBS.items()]
            sections = [(section, "section") for section in names.sections() or _sections()]
            return [*verbs, ("help", "what there is"), *sections]
        case ["help"]:
            return [(topic, "topic") for topic in names.topics() or _sections()]
        case [section]:
            commands = names.commands() or shipped()
            return [(each.name, each.command_class) for each in commands if each.section == section]
        case [section, name, *before]:
            return _of_arguments(section, name, before, typed, names)
    return []


def _of_arguments(
    section: str, name: str, before: Sequence[str], typed: str, names: Names
) -> list[Named]:
    command = shipped().get(section, name)
    flags = command.flags if command else {}
    if flags and typed.startswith("-"):
        return [(f"--{flag.replace('_', '-')}", "flag") for flag in flags]
    position = 1
    value_follows = False
    for word in before:
        if value_follows:
            value_follows = False
        elif flags and word.startswith("-"):
            kind = flags.get(word.lstrip("-").replace("-", "_"))  # none with a value behind `=`
            value_follows = kind in {FlagKind.VALUE, FlagKind.ARRAY}
        else:
            position += 1
    return [] if value_follows else arguments(section, name, position, typed, names)


def _sections() -> list[str]:
    return list(dict.fromkeys(command.section for command in shipped()))


def _spellings(parser: argparse.ArgumentParser) -> Options:
    # argparse tells nobody else what its options are, and a second list would be wrong one day.
    return {
        spelling: action
        for spelling, action in parser._option_string_actions.items()  # noqa: SLF001 - as said
        if action.help != argparse.SUPPRESS
    }
