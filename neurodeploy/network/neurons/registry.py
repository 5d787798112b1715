"""Neuron models by name: ours, and what other packages bring by entry points."""

from __future__ import annotations

from typing import Any

from ...errors import NetworkError
from ...plugins import C, Registry
from ..fields import CLASSES
from .base import Average, Neuron, Source

NO_STATES = frozenset(
    {"counts", "event_counts", "spikes", "weights", "states", "neuron", "payload", "axon_delay"}
    | set(Neuron.beyond_limits)
)
"""What a recording calls something else than a state."""


class NeuronModels(Registry[type[Neuron]]):
    """Classes of neurons by their `Neuron.kind`.

    Examples
    --------
    A model of your own, which runs by its NumPy `Neuron.step` (whole: docs/extend/neuron.md)::

        @NEURONS.register
        @dataclass(frozen=True, eq=False)
        class Decaying(Neuron):
            decay: Parameter = field(metadata=integers(0, 4096))
            kind: ClassVar[str] = "decaying"
            states: ClassVar[tuple[str, ...]] = ("v",)

            def step(self, states, current): ...
    """

    def register(self, cls: C) -> C:
        """See `Registry`; a class that is defined anew, as in a notebook, takes its own place."""
        there = self._ours.get(getattr(cls, "kind", ""))
        if there is not None and _path_of(there) == _path_of(cls):
            del self._ours[there.kind]
        return super().register(cls)

    def _name_of(self, one: Any) -> str:
        return str(one.kind)

    def _made(self, loaded: Any) -> type[Neuron]:
        if not (isinstance(loaded, type) and issubclass(loaded, Neuron)):
            raise TypeError(f"{loaded!r} is no dataclass that derives from Neuron")
        if "__dataclass_params__" not in vars(loaded):
            raise TypeError(f"{loaded!r} is no dataclass of its own")
        if CLASSES.get(loaded.__name__) is not loaded:
            raise ValueError(f"another class of a network is called {loaded.__name__}")
        for state in loaded.states:
            if state in NO_STATES or not state.isidentifier():
                raise ValueError(f"a state cannot be called {state!r}")
        return loaded


def _path_of(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


NEURONS = NeuronModels("neuron", (), NetworkError)


def model_of(kind: str) -> type[Neuron]:
    """Find the neuron model of a name, as a recording has it; `Neuron` for a name unknown here."""
    return NEURONS.get(kind, Neuron)  # type: ignore[no-any-return]


def has_step(neuron: Neuron) -> bool:
    """Whether a neuron's class says itself what it does in a step: a registered one with `step`."""
    model = type(neuron)
    return NEURONS.get(model.kind) is model and model.step is not Neuron.step


for _model in (Source, Average):
    NEURONS.register(_model)
