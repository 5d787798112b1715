// See network.ResonateFire, its further forms and AdaptiveResonateFire for the equations.
#pragma once
#include "stepper.hpp"

namespace nd::ND_ISA {

// Turns a complex state by one step; gives the imaginary part as it was.
template <class Range>
inline I turn(I& re, I& im, Complex input, I sine, I cosine, int32_t exponent, Range& range) {
    I before = im;
    I real = turned(re, cosine) - turned(im, sine) + scaled(input.real, exponent);
    I imag = turned(re, sine) + turned(im, cosine) + scaled(input.imag, exponent);
    range.count_u(range.beyond(real));
    range.count_v(range.beyond(imag));
    re = clipped(real);
    im = clipped(imag);
    return before;
}

struct ResonateFire {
    using Input = Complex;
    struct State { I re, im; };
    struct Parameters { I sine, cosine, threshold; };
    struct Options { int32_t input_exponent; };

    template <class Range>
    static Sent step(State& s, Complex input, const Parameters& p, const Options& o, Range& range) {
        I before = turn(s.re, s.im, input, p.sine, p.cosine, o.input_exponent, range);
        I crosses = (s.im >= 0) & (before < 0);
        return {crosses & (s.re >= p.threshold), s.re};
    }
};
NEURON_MODEL("rf", ResonateFire, "u v", "sine cosine threshold", "input_exponent");

struct ResonateFireIzhikevich {
    using Input = Complex;
    struct State { I re, im; };
    struct Parameters { I sine, cosine, threshold; };
    struct Options { int32_t input_exponent; };

    template <class Range>
    static Sent step(State& s, Complex input, const Parameters& p, const Options& o, Range& range) {
        turn(s.re, s.im, input, p.sine, p.cosine, o.input_exponent, range);
        I height = s.im;
        I fires = height >= p.threshold;
        s.re = s.re & ~fires;
        s.im = fires ? p.threshold - 1 : s.im;
        return {fires, height};
    }
};
NEURON_MODEL("rf-iz", ResonateFireIzhikevich, "u v", "sine cosine threshold", "input_exponent");

// A state that products of 15-bit decays hold in 32 bits; beyond it what `Range` looks for.
inline I within_17_bits(I x) { return smaller(larger(x, all(-(1 << 16))), all(1 << 16)) << 7; }

struct ResonateFireZero {
    using Input = Complex;
    struct State { I re, im; };
    struct Parameters { I sine, cosine, threshold; };
    struct Options {};

    template <class Range>
    static Sent step(State& s, Complex input, const Parameters& p, const Options&, Range& range) {
        constexpr int BITS = 15;
        I re = s.re, before = s.im;
        s.re = ((re * p.cosine) >> BITS) - ((before * p.sine) >> BITS) + input.real;
        s.im = ((before * p.cosine) >> BITS) + ((re * p.sine) >> BITS) + input.imag;
        range.count_u(range.beyond(within_17_bits(s.re)));
        range.count_v(range.beyond(within_17_bits(s.im)));
        I crosses = (s.im >= 0) & (before < 0);
        return {crosses & (s.re > p.threshold), s.re};
    }
};
NEURON_MODEL("rf-zero", ResonateFireZero, "u v", "sine cosine threshold", "");

template <bool by_height>
struct AdaptiveResonate {
    using Input = Complex;
    struct State { I re, im, rise, refractory; };
    struct Parameters { I sine, cosine, keep_rise, keep_refractory, rest, rise_step; };
    struct Options { int32_t input_exponent; };

    template <class Range>
    static Sent step(State& s, Complex input, const Parameters& p, const Options& o, Range& range) {
        I before = turn(s.re, s.im, input, p.sine, p.cosine, o.input_exponent, range);
        s.rise = decayed(s.rise, p.keep_rise);
        s.refractory = decayed(s.refractory, p.keep_refractory);
        I threshold = p.rest + s.rise;
        range.count_v(range.beyond(threshold) | range.beyond(s.refractory));
        I height = by_height ? s.im : s.re;
        I crosses = by_height ? all(-1) : (s.im >= 0) & (before < 0);
        I fires = crosses & (height >= threshold + s.refractory);
        s.refractory += fires & (threshold + threshold);
        s.rise += fires & p.rise_step;
        return {fires, height};
    }
};
using AdaptiveResonateFire = AdaptiveResonate<false>;
using AdaptiveResonateFireIzhikevich = AdaptiveResonate<true>;
NEURON_MODEL("adrf", AdaptiveResonateFire, "u v threshold refractory",
             "sine cosine keep_rise keep_refractory rest rise_step", "input_exponent");
NEURON_MODEL("adrf-iz", AdaptiveResonateFireIzhikevich, "u v threshold refractory",
             "sine cosine keep_rise keep_refractory rest rise_step", "input_exponent");

}  // namespace nd::ND_ISA
