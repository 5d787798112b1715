"""What each target holds, and the rewrites that bring a network there."""

from .lava_rules import Lava
from .loihi2_rules import Loihi2
from .netx_importer import NetX
from .registry import TARGETS, Finding, Rewrite, Target

__all__ = ["TARGETS", "Finding", "Lava", "Loihi2", "NetX", "Rewrite", "Target"]
