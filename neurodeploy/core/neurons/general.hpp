// See network.GeneralCubaLIF and network.LeakyIntegrator for the equations.
#pragma once
#include "stepper.hpp"

namespace nd::ND_ISA {

enum Reset : int32_t { TO_ZERO, SUBTRACT, SUBTRACT_LATE };

struct GeneralCubaLif {
    using Input = I;
    struct State { I u, v, wait; };
    struct Parameters { I keep_u, keep_v, threshold, taken_off, u_bias, v_bias, refractory; };
    struct Options { int32_t input_exponent, voltage_exponent, reset; };

    template <class Range>
    static Sent step(State& s, I input, const Parameters& p, const Options& o, Range& range) {
        s.u = range.wrapped_u(decayed(s.u, p.keep_u) + scaled(input, o.input_exponent) + p.u_bias);
        I v = decayed(s.v, p.keep_v) + scaled(s.u + p.v_bias, o.voltage_exponent);
        if (o.reset == SUBTRACT_LATE) v -= (s.v > p.threshold) & p.taken_off;
        I awake = s.wait == 0;
        range.count_v(awake & range.beyond(v));
        v = awake ? clipped(v) : s.v;
        I fires = (v > p.threshold) & awake;
        s.v = v;
        if (o.reset == TO_ZERO) s.v = v & ~fires;
        if (o.reset == SUBTRACT) s.v = v - (fires & p.taken_off);
        s.wait = fires ? p.refractory - 1 : larger(s.wait - 1, all(0));
        return {fires, v};
    }
};
NEURON_MODEL("cuba-lif-general", GeneralCubaLif, "u v wait",
             "keep_u keep_v threshold taken_off u_bias v_bias refractory",
             "input_exponent voltage_exponent reset");

struct LeakyIntegrator {
    using Input = I;
    struct State { I u, v; };
    struct Parameters { I keep_u, keep_v, bias; };
    struct Options { int32_t input_exponent; };

    template <class Range>
    static Sent step(State& s, I input, const Parameters& p, const Options& o, Range& range) {
        s.u = range.wrapped_u(decayed(s.u, p.keep_u) + scaled(input, o.input_exponent));
        s.v = range.clipped_v(decayed(s.v, p.keep_v) + s.u + p.bias);
        return {I{}, I{}};
    }
};
NEURON_MODEL("leaky-integrator", LeakyIntegrator, "u v", "keep_u keep_v bias", "input_exponent");

}  // namespace nd::ND_ISA
