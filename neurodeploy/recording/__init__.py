"""Recording: what one run of one backend recorded, in memory or in an HDF5 file.

File layout, schema ``neurodeploy.recording`` version 1. The root's attributes
``schema``, ``schema_version`` and ``header`` (JSON, see `Header`) come first;
then, every array with samples along axis 0 unless said otherwise::

    populations/<name>/counts        int64 [samples, *shape]   messages sent by each neuron
    populations/<name>/event_counts  int32 [samples, steps]    messages sent in each step
    populations/<name>/neuron        int32 [events]            who sent, flat in (C, H, W) order
    populations/<name>/payload       int32 [events]            what; absent where all are 1
    populations/<name>/<state>       int32 [samples, steps, *shape]  u, v...: what the neuron has
    populations/<name>/axon_delay    int32 [neurons]           where messages leave late
    populations/<name>/u_overflows, v_overflows, input_overflows   int64 [samples]
    projections/<source>-><target>/synops, dense_synops      int64 [samples]
    projections/<source>-><target>/weights_clipped           int64 [1]  by the conversion
    projections/<source>-><target>/learned/..., epochs/...   int16      see `learning`
    network/...                      the network that learned, where one did

Of a float network states are float32, and so is a payload that its neurons send.
Events are sorted by sample and step, not within a step. Events of the last
population are always there; they are the run's output.
"""

from .decisions import decide
from .header import SCHEMA, SCHEMA_VERSION, Header, PopulationHeader, ProjectionHeader
from .population import OVERFLOWS, Arrays, PopulationRecord
from .recording import Recording, RecordingWriter

__all__ = [
    "OVERFLOWS",
    "SCHEMA",
    "SCHEMA_VERSION",
    "Arrays",
    "Header",
    "PopulationHeader",
    "PopulationRecord",
    "ProjectionHeader",
    "Recording",
    "RecordingWriter",
    "decide",
]
