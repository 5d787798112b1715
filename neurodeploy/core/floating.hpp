// Float networks: what Python hands over, and the kernels that each instruction set has.
//
// A target's sum runs over its sources in (C, H, W) order (of a list: in the list's), each product
// rounded and then added to what is there, from +0 on. No other order, whatever the instruction
// set, the number of rows or the density of messages: so the same sums everywhere, to the bit.
// Sums begin at +0 and are therefore never -0. So nothing changes where a message of 0 is left
// out, or one of padding taken in: weights are finite.
#pragma once
#include <cstdint>

namespace nd {

constexpr int PANEL = 16;  // targets that stand side by side in packed weights

// Messages [samples, steps, sources] and the currents [samples, steps, targets] they add to.
struct Rows {
    int64_t samples, steps;
    const float* in;
    float* out;
    int64_t in_stride, out_stride;  // numbers from sample to sample
    int64_t sources, targets;
};

// Target channels sum windows of an image with a border of zeros: their group of source channels.
struct Windows {
    int64_t groups, outs, cells;  // target channels and cells, the border's too, of one group
    int64_t taps, pixels;         // of a window, of a target channel
    const int32_t* place;         // [sources of a group] cell of each
    const int32_t* tap;           // [taps] cells from a window's first to each
    const int32_t* first;         // [pixels] first cell of each window
    const float* weight;          // [groups * outs, taps]
};

// See network.FloatLIF for the equations.
struct FloatLIF {
    int64_t samples, steps, neurons;
    const float* current;                   // [samples, steps, neurons], as the next three
    float *sent, *u_record, *v_record;      // records may be null
    int64_t current_stride, sent_stride, record_stride;
    float *u, *v, *owed;                    // [samples, neurons]
    const float *current_keep, *current_gain, *current_bias;  // [neurons], and so on
    const float *voltage_keep, *voltage_gain, *voltage_bias, *threshold, *reset_value, *minimum;
    int32_t reset, reset_time, inclusive, sees_last_current, sends, padding;
};

struct Floats {
    // Weights [panels, sources, PANEL], zeros where there is no target.
    void (*dense)(const Rows&, const float* panels);
    void (*windows)(const Rows&, const Windows&);
    // Target i has the synapses starts[i] <= k < starts[i + 1].
    void (*listed)(const Rows&, const int64_t* starts, const int32_t* source, const float* weight);
    void (*step)(const FloatLIF&);
};

}  // namespace nd
