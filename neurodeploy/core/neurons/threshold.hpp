// See network.Threshold, GradedThreshold, Source and Average for the equations.
#pragma once
#include "stepper.hpp"

namespace nd::ND_ISA {

// 64 a + 64 b > 64 theta says the same as a > theta - b, and cannot overflow.
struct Threshold {
    static constexpr bool RESETS = false;
    using Input = I;
    struct State {};
    struct Parameters { I threshold_less_bias; };
    struct Options {};

    template <class Range>
    static Sent step(State&, I input, const Parameters& p, const Options&, Range& range) {
        range.count_input(range.beyond(input));
        return {input > p.threshold_less_bias, all(1)};
    }
};
NEURON_MODEL("threshold", Threshold, "", "threshold_less_bias", "");

struct GradedThreshold {
    static constexpr bool RESETS = false;
    using Input = I;
    struct State {};
    struct Parameters { I threshold; };
    struct Options { int32_t rectify; };

    template <class Range>
    static Sent step(State&, I input, const Parameters& p, const Options& o, Range& range) {
        range.count_input(range.beyond(input));
        I height = o.rectify ? input : magnitude(input);
        return {height > p.threshold, input};
    }
};
NEURON_MODEL("graded-threshold", GradedThreshold, "", "threshold", "rectify");

// Sends what it is given: sources, and averages on the host.
struct Relay {
    static constexpr bool RESETS = false;
    using Input = I;
    struct State {};
    struct Parameters {};
    struct Options {};

    template <class Range>
    static Sent step(State&, I input, const Parameters&, const Options&, Range&) {
        return {input != 0, input};
    }
};
NEURON_MODEL("relay", Relay, "", "", "");

}  // namespace nd::ND_ISA
