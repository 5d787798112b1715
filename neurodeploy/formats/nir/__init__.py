"""NIR, the interchange format of snnTorch, Norse, Sinabs, Rockpool, SpikingJelly and Spyx.

``file`` reads the HDF5 within bounds, ``graph`` makes one flat graph of it, ``shapes`` says how
many neurons each node has, ``presets``, ``resets`` and ``clock`` make its neurons discrete in
time, ``composition`` and ``operators`` compose what lies between them, ``reader`` builds the
network for ``loading``; ``writer`` leads back, ``integer_networks`` both ways where the network
is in integers.
"""

from .loading import load_nir, read_nir
from .presets import PRESETS, Preset
from .resets import Assumption
from .writer import save_nir

__all__ = ["PRESETS", "Assumption", "Preset", "load_nir", "read_nir", "save_nir"]
