"""Lines typed with prompt_toolkit."""

from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import History

from prosody_admin.client.prompt.history import LINES
from prosody_admin.client.prompt.prompting import Suggest


class ToolkitPrompt:
    """A prompt with completion in a menu."""

    def __init__(self, lines: Sequence[str], suggest: Suggest) -> None:
        self._recall = _Recall(lines)
        self._session: PromptSession[str] = PromptSession(
            history=self._recall,
            completer=_Completer(suggest),
            # At Tab: names come from the server, where each question goes on record.
            complete_while_typing=False,
            enable_suspend=True,
        )

    def read(self, prompt: str) -> str:
        """Return what is typed; see Prompt."""
        return self._session.prompt(prompt)

    def remember(self, line: str) -> None:
        """Offer a line again; see Prompt."""
        self._recall.lines.append(line)

    def leave(self, code: int) -> None:
        """End the process; see Prompt. Its loop must not be left by an exception."""
        app = self._session.app
        if app.is_running and app.loop is not None:
            app.loop.call_soon_threadsafe(lambda: app.exit(exception=SystemExit(code)))
        else:
            raise SystemExit(code)


class _Recall(History):
    """The lines that are offered again: those that it is told, not all that are typed."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__()
        self.lines = deque(lines, LINES)

    async def load(self) -> AsyncGenerator[str, None]:
        for line in reversed(self.lines):
            yield line

    def append_string(self, string: str) -> None:
        pass

    def load_history_strings(self) -> Iterable[str]:
        return reversed(self.lines)

    def store_string(self, string: str) -> None:
        pass


class _Completer(Completer):
    def __init__(self, suggest: Suggest) -> None:
        self._suggest = suggest

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        before = document.current_line_before_cursor
        for suggestion in self._suggest(before):
            start = suggestion.start - len(before)
            yield Completion(suggestion.text, start, display_meta=suggestion.meaning)
