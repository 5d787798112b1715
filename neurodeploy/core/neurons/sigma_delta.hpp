// See network.Delta, SigmaDelta, GeneralSigmaDelta and Sigma for the equations.
#pragma once
#include "stepper.hpp"

namespace nd::ND_ISA {

// Sends the change of an activation once it reaches the threshold; keeps what it did not send.
inline Sent send_change(I activation, I& last, I& residue, I threshold, int32_t shift) {
    I delta = activation - last + residue;
    I sent = delta & (magnitude(delta) >= threshold);
    residue = delta - sent;
    last = activation;
    I message = sent >> shift;
    return {message != 0, message};
}

struct Delta {
    static constexpr bool RESETS = false;
    using Input = I;
    struct State { I residue, activation; };
    struct Parameters { I threshold; };
    struct Options { int32_t message_shift; };

    template <class Range>
    static Sent step(State& s, I input, const Parameters& p, const Options& o, Range&) {
        I activation = input << SIGMA_DELTA_SHIFT;
        return send_change(activation, s.activation, s.residue, p.threshold, o.message_shift);
    }
};
NEURON_MODEL("delta", Delta, "u v", "threshold", "message_shift");

struct SigmaDelta {
    static constexpr bool RESETS = false;
    using Input = I;
    struct State { I sigma, activation, residue; };
    struct Parameters { I threshold, bias; };
    struct Options { int32_t lowest, highest, message_shift; };

    template <class Range>
    static Sent step(State& s, I input, const Parameters& p, const Options& o, Range& range) {
        s.sigma += input;
        range.count_u(range.outside(s.sigma));
        I activation = smaller(larger(s.sigma + p.bias, all(o.lowest)), all(o.highest));
        return send_change(activation, s.activation, s.residue, p.threshold, o.message_shift);
    }
};
NEURON_MODEL("sigma-delta", SigmaDelta, "u v residue", "threshold bias",
             "lowest highest message_shift");

struct Sigma {
    static constexpr bool RESETS = false;
    using Input = I;
    struct State { I sigma; };
    struct Parameters {};
    struct Options {};

    template <class Range>
    static Sent step(State& s, I input, const Parameters&, const Options&, Range& range) {
        s.sigma += input;
        range.count_u(range.outside(s.sigma));
        return {s.sigma != 0, s.sigma};
    }
};
NEURON_MODEL("sigma", Sigma, "u", "", "");

}  // namespace nd::ND_ISA
