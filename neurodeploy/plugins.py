"""What is known of one kind by name: ours, and what other packages bring by entry points."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import NeurodeployError, PluginWarning

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")
C = TypeVar("C", bound=type)


class Registry(Mapping[str, T]):
    """Things of one kind by name, in the order in which they were registered; ours come first.

    Other packages are looked for only once something is asked for that is not ours.

    Parameters
    ----------
    kind : str
        What an error calls one of them; entry points lie in the group ``neurodeploy.{kind}s``.
    needs : tuple of str
        Attributes that each must have.
    error : type of NeurodeployError
        Raised for a name that nobody has.
    """

    def __init__(self, kind: str, needs: tuple[str, ...], error: type[NeurodeployError]) -> None:
        self.kind = kind
        self.group = f"neurodeploy.{kind}s"
        self.needs = needs
        self.error = error
        self._ours: dict[str, T] = {}

    def register(self, cls: C) -> C:
        """Register a class, as a decorator: one object of it is made, if it is not one itself."""
        one = self._made(cls)
        name = self._name_of(one)
        if name in self._ours:
            raise ValueError(f"{self.kind} {name!r}: {cls.__qualname__} takes a name twice")
        self._ours[name] = one
        return cls

    def __getitem__(self, name: str) -> T:
        """Give the one of a name.

        Raises
        ------
        NeurodeployError
            As `error`: if there is none; says which there are.
        """
        if name in self._ours:
            return self._ours[name]
        if name in self._from_elsewhere:
            return self._from_elsewhere[name]
        raise self.error(f"{self.kind} {name!r}: unknown; there are {', '.join(self)}")

    def get(self, name: str, default: Any = None) -> Any:
        """Give the one of a name, else `default`."""
        return self[name] if name in self else default  # noqa: SIM401

    def __contains__(self, name: object) -> bool:
        return name in self._ours or name in self._from_elsewhere

    def __iter__(self) -> Iterator[str]:
        yield from self._ours
        yield from self._from_elsewhere

    def __len__(self) -> int:
        return len(self._ours) + len(self._from_elsewhere)

    @cached_property
    def _from_elsewhere(self) -> dict[str, T]:
        """What the entry points of installed packages lead to."""
        from importlib.metadata import entry_points  # takes long, and is seldom needed

        found: dict[str, T] = {}
        for entry in entry_points(group=self.group):
            try:
                one = self._load(entry)
                if entry.name in found or self._ours.get(entry.name, one) is not one:
                    raise ValueError("the name is taken")
                if entry.name not in self._ours:
                    found[entry.name] = one
            except Exception as error:  # a stranger's code must not take ours down
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                warnings.warn(
                    f"{self.kind} {entry.name!r} of {entry.value} is left out ({reason}); mend or "
                    f"uninstall its package",
                    PluginWarning,
                    stacklevel=2,
                )
        return found

    def _load(self, entry: EntryPoint) -> Any:
        one = self._made(entry.load())
        if self._name_of(one) != entry.name:
            raise ValueError(f"it calls itself {self._name_of(one)!r}")
        return one

    def _made(self, loaded: Any) -> T:
        """Make one of a class, and see that it has what each must have."""
        one = loaded() if isinstance(loaded, type) else loaded
        lacks = [name for name in ("name", *self.needs) if not hasattr(one, name)]
        if lacks:
            raise TypeError(f"it lacks {', '.join(lacks)}")
        return one  # type: ignore[no-any-return]

    def _name_of(self, one: Any) -> str:
        return str(one.name)


__all__ = ["Registry"]
