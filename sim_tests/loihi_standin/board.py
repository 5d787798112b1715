"""The board without a network, as ``nxcore`` has it."""

from __future__ import annotations

from .state import called


class N3Board:
    """One chip, standing still."""

    def __init__(self, num_chips: int, num_cores: int) -> None:
        if (num_chips, num_cores) != (1, 0):
            raise ValueError(f"N3Board({num_chips}, {num_cores}): public code has N3Board(1, 0)")
        self.steps = 0
        self.connected = True
        called("N3Board")

    def run(self, num_steps: int) -> None:
        if not self.connected:
            raise RuntimeError("N3Board: disconnected")
        self.steps = num_steps

    def disconnect(self) -> None:
        self.connected = False
        called("N3Board.disconnect")
