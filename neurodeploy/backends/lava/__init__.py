"""Backend ``lava``: Lava's CPU fixed-point simulator, in a worker process."""

PYTHON_VARIABLE = "NEURODEPLOY_LAVA_PYTHON"
"""Environment variable with the path of an interpreter that has Lava."""
