// See network.AdaptiveCubaLIF for the equations.
#pragma once
#include "stepper.hpp"

namespace nd::ND_ISA {

struct AdaptiveCubaLif {
    using Input = I;
    struct State { I u, v, adaptation; };
    struct Parameters { I keep_u, keep_v, keep_adaptation, threshold, adaptation_step, bias; };
    struct Options {};

    template <class Range>
    static Sent step(State& s, I input, const Parameters& p, const Options&, Range& range) {
        s.u = range.wrapped_u(decayed(s.u, p.keep_u) + (input << ACTIVATION_SHIFT));
        I v = range.clipped_v(decayed(s.v, p.keep_v) + s.u - s.adaptation + p.bias);
        I fires = v > p.threshold;
        s.v = v & ~fires;
        I kept = decayed(s.adaptation, p.keep_adaptation);
        s.adaptation = range.clipped_v(kept + (fires & p.adaptation_step));
        return {fires, all(1)};
    }
};
NEURON_MODEL("cuba-lif-adaptive", AdaptiveCubaLif, "u v adaptation",
             "keep_u keep_v keep_adaptation threshold adaptation_step bias", "");

}  // namespace nd::ND_ISA
