"""Speech data sets where somebody has put them: names are listed, sound is read when asked for.

None of them is shipped here; each refusal says what was expected and where to get it.
"""

from .folders import SOURCES
from .pairs import Pair, ndns, vctk
from .words import COMMANDS, Clip, speech_commands, spoken_digits, which_set

__all__ = [
    "COMMANDS",
    "SOURCES",
    "Clip",
    "Pair",
    "ndns",
    "speech_commands",
    "spoken_digits",
    "vctk",
    "which_set",
]
