// See network.Threshold, GradedThreshold, Product, Source and Average for the equations.
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

// |x| |y| / 2^24, rounded down, for magnitudes below 2^24: by halves of 12 bits.
inline I product_over_2_24(I x, I y) {
    I high_x = x >> 12, low_x = x & 4095, high_y = y >> 12, low_y = y & 4095;
    I middle = high_x * low_y + low_x * high_y + (low_x * low_y >> 12);
    return high_x * high_y + (middle >> 12);
}

struct Product {
    static constexpr bool RESETS = false;
    using Input = Complex;
    struct State {};
    struct Parameters { I threshold; };
    struct Options { int32_t shift; };

    template <class Range>
    static Sent step(State&, Complex input, const Parameters& p, const Options& o, Range& range) {
        I x = magnitude(input.real), y = magnitude(input.imag);
        I most = all((1 << 24) - 1);
        I high = product_over_2_24(smaller(x, most), smaller(y, most));
        // From 2^31 on the product wraps, as Lava's does; 128 << 16 is what `beyond` looks for.
        I wraps = smaller(high, all(128)) << 16;
        I wide = ((x > most) & (y != 0)) | ((y > most) & (x != 0));
        range.count_input(range.beyond(wraps | (wide & (128 << 16))));
        I product = (input.real * input.imag) >> o.shift;
        return {magnitude(product) > p.threshold, product};
    }
};
NEURON_MODEL("product", Product, "", "threshold", "shift");

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
