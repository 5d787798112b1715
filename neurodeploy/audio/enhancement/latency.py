"""Algorithmic latency taken apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Latency:
    """Milliseconds from a sample's arrival to that of its enhanced form, by cause.

    What an infinitely fast machine would still take; what this machine computes comes on top,
    see `Reading.median_ms`.

    Attributes
    ----------
    buffer_ms : float
        Until the last frame that holds the sample is complete: the window, at most.
    encoder_ms, decoder_ms : float
        Beyond that; 0 where a step needs no later one. (Overlap-add waits for the same frames as
        the buffer.)
    network_ms : float
        Steps for which the sound is held back, so that the mask finds the frame it was made for.
    """

    buffer_ms: float
    encoder_ms: float
    network_ms: float
    decoder_ms: float

    @property
    def total_ms(self) -> float:
        """Sum of all parts."""
        return self.buffer_ms + self.encoder_ms + self.network_ms + self.decoder_ms

    def as_dict(self) -> dict[str, float]:
        """All parts and their sum."""
        return {**vars(self), "total_ms": self.total_ms}
