// What quantization tries out: weights rounded together, and one population in integers.
#include "exported.hpp"
#include <algorithm>
#include <cmath>
#include <cstdint>

using int64 = int64_t;

// Round the weights of each target [targets, sources], in `unit`s [sources], one after the other;
// each error goes to the weights after it as `upper` [sources, sources] has it. `rest` is room for
// one row.
API void nd_rounded(int64 targets, int64 sources, const double* scaled, const double* low,
                    const double* high, const double* upper, const double* unit,
                    double* __restrict rest, int64* found) {
    for (int64 i = 0; i < targets; i++, scaled += sources, low += sources, high += sources) {
        for (int64 j = 0; j < sources; j++) rest[j] = scaled[j] * unit[j];
        for (int64 j = 0; j < sources; j++) {
            const double nearest = std::rint(rest[j] / unit[j]);
            const double raised = nearest > low[j] ? nearest : low[j];
            const double whole = raised < high[j] ? raised : high[j];
            *found++ = static_cast<int64>(whole);
            const double* row = upper + j * sources;
            const double error = (rest[j] - whole * unit[j]) / row[j];
            for (int64 k = j + 1; k < sources; k++) rest[k] -= error * row[k];
        }
    }
}

// `GeneralCubaLIF`'s equations on currents [samples, steps, neurons]; u saturates here, where the
// chip's would wrap. Integers in doubles, which are exact as states have 24 bits. How often u or v
// saturated is what it gives; spikes and v are [samples, steps, neurons].
namespace {
enum Reset { ZERO, SUBTRACT, LATE };  // as `RESETS` in rounding.py
constexpr double UNIT = 1 << 6;          // of states in a current
constexpr double LIMIT = (1 << 23) - 1;  // of states

double cut(double x) { return static_cast<int32_t>(x); }  // towards zero
bool beyond(double x) { return std::abs(x) > LIMIT; }
double bounded(double x) { return x > LIMIT ? LIMIT : x < -LIMIT ? -LIMIT : x; }

struct Neuron {  // what one neuron is, and its state
    const double current_keep, voltage_keep, threshold, bias, refractory, taken_off;
    double &u, &v, &wait;

    // Whether it fires.
    bool step(double current, Reset reset, int64& saturated) {
        const double new_u = cut(u * current_keep) + current * UNIT;
        const bool awake = wait == 0;
        const double owed = reset == LATE && v > threshold ? taken_off : 0;
        u = bounded(new_u);
        const double new_v = cut(v * voltage_keep) - owed + u + bias;
        saturated += beyond(new_u) + (awake & beyond(new_v));
        v = awake ? bounded(new_v) : v;
        const bool fires = awake & (v > threshold);
        wait = fires ? refractory - 1 : awake ? 0 : wait - 1;
        v = !fires ? v : reset == ZERO ? 0 : reset == SUBTRACT ? v - taken_off : v;
        return fires;
    }
};
}  // namespace

API int64 nd_integrate(int64 samples, int64 steps, int64 neurons, const double* current,
                       const double* parameters, int reset, double* states, float* spikes,
                       double* voltages) {
    int64 saturated = 0;
    const double* p = parameters;
    double *u = states, *v = u + neurons, *wait = v + neurons;
    for (int64 s = 0; s < samples; s++) {
        std::fill(states, states + 3 * neurons, 0.0);
        for (int64 t = 0; t < steps; t++) {
            for (int64 j = 0; j < neurons; j++) {
                Neuron neuron{p[j], p[neurons + j], p[2 * neurons + j], p[3 * neurons + j],
                              p[4 * neurons + j], p[5 * neurons + j], u[j], v[j], wait[j]};
                spikes[j] = neuron.step(current[j], static_cast<Reset>(reset), saturated);
                voltages[j] = v[j];
            }
            current += neurons, spikes += neurons, voltages += neurons;
        }
    }
    return saturated;
}
