// See network.CubaLIF for the equations.
#pragma once
#include "stepper.hpp"

namespace nd::ND_ISA {

struct CubaLif {
    using Input = I;
    struct State { I u, v; };
    struct Parameters { I keep_u, keep_v, threshold, bias; };
    struct Options {};

    template <class Range>
    static Sent step(State& s, I input, const Parameters& p, const Options&, Range& range) {
        s.u = range.wrapped_u(decayed(s.u, p.keep_u) + (input << ACTIVATION_SHIFT));
        I v = range.clipped_v(decayed(s.v, p.keep_v) + s.u + p.bias);
        I fires = v > p.threshold;
        s.v = v & ~fires;
        return {fires, all(1)};
    }
};
NEURON_MODEL("cuba-lif", CubaLif, "u v", "keep_u keep_v threshold bias", "");

// Currents that do not last: this step's input is all of u. A third of the work less.
struct CubaLifOfInput {
    using Input = I;
    struct State { I u, v; };
    struct Parameters { I keep_v, threshold, bias; };
    struct Options {};
    static constexpr int FORGOTTEN = 1;

    template <class Range>
    static Sent step(State& s, I input, const Parameters& p, const Options&, Range& range) {
        s.u = range.wrapped_u(input << ACTIVATION_SHIFT);
        I v = range.clipped_v(decayed(s.v, p.keep_v) + s.u + p.bias);
        I fires = v > p.threshold;
        s.v = v & ~fires;
        return {fires, all(1)};
    }
};
NEURON_MODEL("cuba-lif-of-input", CubaLifOfInput, "u v", "keep_v threshold bias", "");

}  // namespace nd::ND_ISA
