"""Loading and unloading modules by name."""

import logging
from collections.abc import Callable, Iterable, Iterator

from prosody_admin.errors import ModuleError
from prosody_admin.events import Events
from prosody_admin.modules import admin, shell
from prosody_admin.modules.api import Module, Service

log = logging.getLogger(__name__)

ENTRY_POINTS = "prosody_admin.modules"
"""The entry-point group by which packages offer modules; its values are load functions."""

_OURS: dict[str, Callable[[Module], None]] = {"admin": admin.load, "shell": shell.load}


class Modules:
    """The modules that are loaded now."""

    def __init__(self, events: Events, service: Service) -> None:
        self._events = events
        self._service = service
        self._loaded: dict[str, Module] = {}

    def __iter__(self) -> Iterator[str]:
        """Go through the names of the loaded modules."""
        return iter(tuple(self._loaded))

    def load(self, name: str) -> None:
        """Load module `name`: one of ours, or what an installed package offers by that name.

        Raises ModuleError if it is loaded already, not found, or fails to load; its hooks are
        gone then.
        """
        if name in self._loaded:
            raise ModuleError(f"module {name!r} is loaded already")
        load = _OURS.get(name) or _find(name)
        module = Module(name, self._events, self._service)
        try:
            load(module)
        except Exception as error:
            module.unload()
            raise ModuleError(f"module {name!r} failed to load") from error
        self._loaded[name] = module
        log.debug("module %s loaded", name)

    def unload(self, name: str) -> None:
        """Unload module `name` with all its hooks. Raises ModuleError if it is not loaded."""
        module = self._loaded.pop(name, None)
        if module is None:
            raise ModuleError(f"module {name!r} is not loaded")
        module.unload()
        log.debug("module %s unloaded", name)

    def reload(self, name: str) -> None:
        """Unload and load module `name`. Raises ModuleError as both of them do."""
        self.unload(name)
        self.load(name)

    def set_enabled(self, names: Iterable[str]) -> list[ModuleError]:
        """Have ours and `names` loaded and nothing else; return what did not work.

        What is loaded already stays as it is; what is not comes after it, in the given order.
        """
        wanted = dict.fromkeys([*_OURS, *names])
        errors = []
        for name in self:
            if name not in wanted:
                self.unload(name)
        for name in wanted:
            if name not in self._loaded:
                try:
                    self.load(name)
                except ModuleError as error:
                    errors.append(error)
        return errors

    def unload_all(self) -> None:
        """Unload everything, the last loaded first."""
        for name in reversed(self._loaded):
            self._loaded[name].unload()
        self._loaded.clear()


def _find(name: str) -> Callable[[Module], None]:
    # Imported here: it brings `email` and `zipfile` with it, for whoever has modules of others.
    from importlib.metadata import entry_points

    try:
        found = tuple(entry_points(group=ENTRY_POINTS, name=name))
    except Exception as error:  # it reads what all packages offer, and fails if one is damaged
        raise ModuleError(f"module {name!r} cannot be looked for") from error
    if not found:
        raise ModuleError(
            f"module {name!r} not found: expected an installed package with an entry point "
            f"of this name in the group {ENTRY_POINTS!r}"
        )
    if len(found) > 1:
        values = ", ".join(sorted(point.value for point in found))
        raise ModuleError(f"module {name!r} is offered more than once: {values}")
    try:
        load: object = found[0].load()
    except Exception as error:
        raise ModuleError(f"module {name!r} cannot be imported from {found[0].value}") from error
    if not callable(load):
        raise ModuleError(f"module {name!r}: {found[0].value} is not a function")
    return load
