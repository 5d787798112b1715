// See network.ModulatedLIF for the equations.
#pragma once
#include "stepper.hpp"

namespace nd::ND_ISA {

struct ModulatedLif {
    using Input = Complex;  // the current, and the third factor
    struct State { I u, v, y1, y2, y3; };
    struct Parameters { I keep_u, keep_v, threshold, bias, size, keep_y1, keep_signal, cost; };
    struct Options { int32_t surrogate, width; };

    static constexpr int32_t TOP = 127;
    static constexpr int KEEP_BITS = 7;

    static I followed(I trace, I keep, I added) {
        return smaller((trace * keep >> KEEP_BITS) + added, all(TOP));
    }

    template <class Range>
    static Sent step(State& s, Complex input, const Parameters& p, const Options& o, Range& range) {
        s.u = range.wrapped_u(decayed(s.u, p.keep_u) + (input.real << ACTIVATION_SHIFT));
        I v = range.clipped_v(decayed(s.v, p.keep_v) + s.u + p.bias);
        I fires = v > p.threshold;
        s.v = v & ~fires;
        I signal = clipped(input.imag) - (p.cost & fires);
        I far = magnitude(v - p.threshold) >> o.width;
        s.y1 = o.surrogate ? larger(p.size - far, I{}) : followed(s.y1, p.keep_y1, p.size & fires);
        s.y2 = followed(s.y2, p.keep_signal, larger(signal, I{}));
        s.y3 = followed(s.y3, p.keep_signal, larger(-signal, I{}));
        return {fires, all(1)};
    }
};
NEURON_MODEL("modulated-lif", ModulatedLif, "u v y1 y2 y3",
             "keep_u keep_v threshold bias size keep_y1 keep_signal cost", "surrogate width");

}  // namespace nd::ND_ISA
