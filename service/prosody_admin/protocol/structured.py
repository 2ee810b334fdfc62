"""Stanzas of our own, beside those of Prosody: for clients that want data instead of text.

`<query xmlns='urn:prosody-admin:structured:1'>admin:sessions()</query>` asks like a `repl-input`
with the same line, and is authorised and recorded as that line. Its answer is one element of the
same namespace for each item, the facts as attributes, and then one `repl-result`.

A `repl-result` that says no tells in an attribute of this namespace what kind of failure it is.
`prosodyctl` does not look at it, and nothing that Prosody says is passed on with one.
"""

from collections.abc import Mapping

from prosody_admin.protocol.stanza import Stanza, repl_result, sanitised

STRUCTURED_NS = "urn:prosody-admin:structured:1"

FAILURE = f"{{{STRUCTURED_NS}}}failure"
"""The attribute of a failed `repl-result`; it is missing where the command itself failed."""

REFUSED = "refused"
"""A `FAILURE`: the policy, a limit or the record did not let the command run."""

UNREACHABLE = "unreachable"
"""A `FAILURE`: Prosody could not be asked, or was lost before it answered."""

Fact = str | int | bool | tuple[str, ...] | None
"""What an attribute says: a truth is `true` or `false`, a list of words has spaces between them.

None leaves the attribute out.
"""

_NUMBERS = frozenset(
    {"commands", "gid", "login-uid", "pid", "seconds", "sessions", "sessions-max", "uid"}
)
_TRUTHS = frozenset({"allowed", "escalate", "hostless", "lua", "own", "refused", "unlimited"})
_LISTS = frozenset({"allow", "deny", "groups", "hosts"})


def query(line: str) -> Stanza:
    """Return the question for what `line` would say, as data."""
    return Stanza("query", {}, line, namespace=STRUCTURED_NS)


def is_query(stanza: Stanza) -> bool:
    """Return whether a stanza is a `query`."""
    return (stanza.namespace, stanza.name) == (STRUCTURED_NS, "query")


def item(name: str, facts: Mapping[str, Fact]) -> Stanza:
    """Return one item of an answer; what XML cannot carry becomes U+FFFD."""
    attributes = {key: _written(fact) for key, fact in facts.items() if fact is not None}
    return Stanza(name, attributes, namespace=STRUCTURED_NS)


def facts_of(stanza: Stanza) -> dict[str, Fact]:
    """Return what an item says, by the names of its attributes; unknown ones are text.

    Raises ValueError for a number that is none.
    """
    return {key: _read(key, text) for key, text in stanza.attributes.items()}


def failed_result(text: str, failure: str) -> Stanza:
    """Return a `repl-result` that says what kind of failure it is; "" for none of these."""
    result = repl_result(text, error=True)
    if not failure:
        return result
    return Stanza(result.name, {**result.attributes, FAILURE: failure}, text)


def _written(fact: str | int | bool | tuple[str, ...]) -> str:
    match fact:
        case bool():
            return "true" if fact else "false"
        case tuple():
            return sanitised(" ".join(fact))
        case _:
            return sanitised(str(fact))


def _read(key: str, text: str) -> Fact:
    if key in _NUMBERS:
        return int(text)
    if key in _TRUTHS:
        return text == "true"
    return tuple(text.split()) if key in _LISTS else text
