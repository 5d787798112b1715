"""Network = populations + projections, and the integer rules they follow."""

from . import neurons, synapses
from .audit import Audit, AuditEntry, Effect, Rating
from .graph import InputTransform, Network, Population, Projection
from .learning import LearningRule
from .neurons import *
from .synapses import *

__all__ = ["Audit", "AuditEntry", "Effect", "Rating"]
__all__ += ["InputTransform", "LearningRule", "Network", "Population", "Projection"]
__all__ += neurons.__all__
__all__ += synapses.__all__
