"""The version and the name to install by, kept where importing them costs nothing."""

__version__ = "0.2.0"

DISTRIBUTION = "neurodeploy-snn"
"""What an index of packages would call it; ``neurodeploy`` is somebody else's there."""
