"""Networks as C99 source: the engine's integers, without the engine."""

from .emit import EmittedC, emit_c

__all__ = ["EmittedC", "emit_c"]
