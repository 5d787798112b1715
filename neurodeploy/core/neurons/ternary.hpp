// See network.TernaryLIF for the equations.
#pragma once
#include "stepper.hpp"

namespace nd::ND_ISA {

struct TernaryLif {
    using Input = I;
    struct State { I u, v; };
    struct Parameters { I keep_u, keep_v, upper, lower, bias; };
    struct Options {};

    template <class Range>
    static Sent step(State& s, I input, const Parameters& p, const Options&, Range& range) {
        s.u = range.wrapped_u(decayed(s.u, p.keep_u) + (input << ACTIVATION_SHIFT));
        I v = range.clipped_v(decayed(s.v, p.keep_v) + s.u + p.bias);
        I sign = (v < p.lower) - (v > p.upper);  // masks are -1
        I fires = sign != 0;
        s.v = v & ~fires;
        return {fires, sign};
    }
};
NEURON_MODEL("ternary-lif", TernaryLif, "u v", "keep_u keep_v upper lower bias", "");

}  // namespace nd::ND_ISA
