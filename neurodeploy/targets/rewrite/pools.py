"""Sum pooling as a strided convolution with fixed weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...network import Conv, Network, Pool, Projection


def pool_as_conv(network: Network) -> Network:
    """Turn each sum pool into a depthwise convolution of the same sums.

    One kernel for each channel, in as many groups. SLAYER's pools that reach
    from one channel into the next, and its rows of zeros at the end where a
    window begins in them, have no such form and are left as they are.

    Sums of a convolution wrap to 24 bits and those of a pool do not: the two
    are the same wherever no sum leaves 24 bits.
    """
    made = tuple(_rewritten(network, projection) for projection in network.projections)
    return replace(network, projections=made)


def _rewritten(network: Network, projection: Projection) -> Projection:
    pool = projection.synapse
    source, target = network[projection.source].shape, network[projection.target].shape
    # The rewrite is of this operator alone.
    if type(pool) is not Pool or len(source) != 3 or pool.across_channels:
        return projection
    kernel = np.broadcast_to(pool.weight, (source[0], 1, *pool.weight.shape))
    conv = Conv(
        np.ascontiguousarray(kernel), pool.stride, pool.padding, pool.dilation, groups=source[0]
    )
    if conv.output_shape(source) != target:
        return projection  # a window begins in the zeros that SLAYER adds at the end
    return replace(projection, synapse=conv)
