"""Backend ``lava``: Lava's CPU fixed-point simulator, in a worker."""

from .backend import available, run

__all__ = ["available", "run"]
