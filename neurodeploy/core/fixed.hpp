// The chip's integer arithmetic; see network/fixed_point.py for the sources of each rule.
#pragma once
#include "lanes.hpp"

namespace nd::ND_ISA {

constexpr int32_t STATE_LIMIT = 1 << 23;
constexpr int32_t STATE_TOP = STATE_LIMIT - 1;
constexpr int DECAY_BITS = 12;
constexpr int ACTIVATION_SHIFT = 6;
constexpr int SIGMA_DELTA_SHIFT = 12;

// x keep / 2^12, rounded towards zero, without leaving 32 bits: with |x| = 4096 h + l and
// 0 <= l < 4096 its magnitude is h keep + (l keep >> 12).
inline I decayed(I x, I keep) {
    constexpr int32_t FRACTION = (1 << DECAY_BITS) - 1;
    I size = magnitude(x);
    I high = shifted_down(size, DECAY_BITS) * keep;
    I low = (size & FRACTION) * keep;
    return signed_as(high + shifted_down(low, DECAY_BITS), x);
}

// x factor / 2^12 for a factor of either sign, rounded towards zero.
inline I turned(I x, I factor) { return signed_as(decayed(x, magnitude(factor)), factor); }

// x 2^exponent, rounded towards zero where the exponent is negative.
inline I scaled(I x, int32_t exponent) {
    if (exponent >= 0) return x << exponent;
    return signed_as(magnitude(x) >> -exponent, x);
}

inline I clipped(I x) { return smaller(larger(x, all(-STATE_TOP)), all(STATE_TOP)); }

// What leaves 24 bits is rare. So a block of neurons is first stepped with `Watched`, which only
// collects the range of its states, and once more with `Exact` where one left it. Both offer the
// same: what is counted, and what becomes of it.
struct Watched {
    I magnitudes = {};  // bits that are set in some

    I seen(I x) {
        magnitudes |= magnitude(x);
        return x;
    }
    I wrapped_u(I u) { return seen(u); }
    I clipped_v(I v) { return seen(v); }
    I beyond(I x) { return seen(x), I{}; }
    I outside(I x) { return seen(x), I{}; }
    void count_u(I) {}
    void count_v(I) {}
    void count_input(I) {}
    bool left() const { return bits_of((magnitudes & ~STATE_TOP) != 0) != 0; }
    void look_at(I) {}
};

struct Exact {
    I u = {}, v = {}, input = {};
    I real = {};  // lanes that are neurons: rows are filled up to whole words

    void look_at(I lanes) { real = lanes; }

    // fixed_point.wrap_current: +2^23 is kept, although 24 bits cannot hold it.
    I wrapped_u(I x) {
        I over = x > STATE_LIMIT, under = x <= -STATE_LIMIT;
        count_u(over | under);
        return x - (over & 2 * STATE_LIMIT) + (under & 2 * STATE_LIMIT);
    }
    // fixed_point.saturate_voltage.
    I clipped_v(I x) {
        count_v(beyond(x));
        return clipped(x);
    }
    // Where `clipped` changes a state.
    I beyond(I x) { return (x > STATE_TOP) | (x < -STATE_TOP); }
    // Where 24 signed bits cannot hold a number.
    I outside(I x) { return (x >= STATE_LIMIT) | (x < -STATE_LIMIT); }
    void count_u(I where) { u -= where & real; }
    void count_v(I where) { v -= where & real; }
    void count_input(I where) { input -= where & real; }
};

// What neurons send in a step: who (-1 or 0 in each lane), and what if messages are graded.
struct Sent {
    I fires, payload;
};

// The two currents of a neuron with a real and an imaginary part.
struct Complex {
    I real, imag;
};

}  // namespace nd::ND_ISA
