"""Which prompt the interactive shell gets: with prompt_toolkit, with readline, or with neither."""

import os
import sys
from collections.abc import Sequence

from prosody_admin.client.prompt.prompting import PlainPrompt, Prompt, Suggest


def best_prompt(lines: Sequence[str], suggest: Suggest) -> Prompt:
    """Return the best that is installed and that the terminal can do; `lines` are remembered."""
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        try:
            # Here and below: it takes 150 ms, and nobody has to have it.
            from prosody_admin.client.prompt.toolkit_prompt import ToolkitPrompt
        except ImportError:
            pass
        else:
            return ToolkitPrompt(lines, suggest)
    try:
        from prosody_admin.client.prompt.readline_prompt import ReadlinePrompt
    except ImportError:
        return PlainPrompt()
    return ReadlinePrompt(lines, suggest)
