"""Which host an argument is about; what is unsure is about none."""

from string import ascii_lowercase, ascii_uppercase, digits

import pytest

from prosody_admin.access.hosts import host_of, is_host_pattern, reaches


@pytest.mark.parametrize(
    ("argument", "host"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.com", "example.com"),
        ("alice@example.com", "example.com"),
        ("alice@example.com/phone/x@y", "example.com"),
        ("example.com/phone@other", "example.com"),
        ("alice@example.com/any\nthing", "example.com"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("my-host.example", "my-host.example"),
        # Only the host must be plain: accounts and resources may have any letters.
        ("b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher@example.com", "example.com"),
        ("", None),
        ("@example.com", None),
        ("alice@", None),
        ("alice@example.com/", None),
        ("alice@example.com@other", None),
        ("/example.com", None),
        ("example.com\n", None),
        (" example.com", None),
        (".example.com", None),
        ("example.com.", None),
        ("-example.com", None),
        ("example.com-", None),
        ("*", None),
        ("*.example.com", None),
        ("[example]", None),
        ("b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example", None),
        # Prosody's nameprep makes plain letters of these; we let no role reach them.
        ("\N{CIRCLED LATIN SMALL LETTER E}xample.com", None),
        ("\N{KELVIN SIGN}.example", None),
    ],
)
def test_host_of_an_argument(argument: str, host: str | None) -> None:
    assert host_of(argument) == host


@pytest.mark.parametrize("pattern", ["example.com", "*.example.com", "localhost"])
def test_hosts_of_a_role(pattern: str) -> None:
    assert is_host_pattern(pattern)


@pytest.mark.parametrize("pattern", ["", "*", "*.", "Example.com", "a*.com", "*example.com", "a@b"])
def test_no_hosts_of_a_role(pattern: str) -> None:
    assert not is_host_pattern(pattern)


def test_characters_of_hosts() -> None:
    characters, ends = [*map(chr, range(128))], {*ascii_lowercase, *digits}
    for template in ("?", "?x", "x?", "x-?", "*.?"):
        patterns = {one for one in characters if is_host_pattern(template.replace("?", one))}
        assert patterns == ends
    assert {one for one in characters if is_host_pattern(f"x{one}x")} == ends | {*".-"}
    assert {one for one in characters if host_of(one)} == ends | {*ascii_uppercase}
    plain = {one for one in characters if host_of(f"x{one}x") == f"x{one.lower()}x"}
    assert plain == ends | {*ascii_uppercase, *".-"}


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("example.com", True),
        ("chat.example.org", True),
        ("a.b.example.org", True),
        ("example.org", False),
        ("notexample.org", False),
        ("chat.example.com", False),
        ("example.com.evil", False),
    ],
)
def test_reach(host: str, reached: bool) -> None:
    assert reaches(("example.com", "*.example.org"), host) is reached
