// See network.ALIF for the equations; the threshold is kept as its rise above rest.
#pragma once
#include "stepper.hpp"

namespace nd::ND_ISA {

struct Alif {
    using Input = I;
    struct State { I u, v, rise, refractory; };
    struct Parameters { I keep_u, keep_v, keep_rise, keep_refractory, rest, rise_step, bias; };
    struct Options { int32_t input_exponent; };

    template <class Range>
    static Sent step(State& s, I input, const Parameters& p, const Options& o, Range& range) {
        s.u = range.wrapped_u(decayed(s.u, p.keep_u) + scaled(input, o.input_exponent) + p.bias);
        I v = decayed(s.v, p.keep_v) + s.u;
        s.v = clipped(v);
        s.rise = decayed(s.rise, p.keep_rise);
        s.refractory = decayed(s.refractory, p.keep_refractory);
        I threshold = p.rest + s.rise;
        range.count_v(range.beyond(v) | range.beyond(threshold) | range.beyond(s.refractory));
        I fires = s.v >= threshold + s.refractory;
        s.refractory += fires & (threshold + threshold);
        s.rise += fires & p.rise_step;
        return {fires, s.v};
    }
};
NEURON_MODEL("alif", Alif, "u v threshold refractory",
             "keep_u keep_v keep_rise keep_refractory rest rise_step bias", "input_exponent");

}  // namespace nd::ND_ISA
