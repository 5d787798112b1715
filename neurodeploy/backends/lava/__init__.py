"""Backend ``lava``: Lava's CPU fixed-point simulator, in a worker process."""
