"""Backend ``loihi2``: a real chip, through Intel's lava-loihi, in a worker process."""
