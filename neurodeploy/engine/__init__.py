"""Our fixed-point simulator: plan, kernels, simulation."""
