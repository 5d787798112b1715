// Loops over samples and steps of sound that carry a state; integers or doubles, as they come.
#include "exported.hpp"
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace {
using float64 = double;
using int64 = int64_t;

float64 without_fraction(float64 product, int) { return product; }
int64 without_fraction(int64 product, int bits) { return product >> bits; }

// How often `spacing` goes into a value >= 0; as Python's `//`, which knows of fmod's rest.
int64 times(int64 value, int64 spacing) { return value / spacing; }
int64 times(float64 value, float64 spacing) {
    const float64 quotient = (value - std::fmod(value, spacing)) / spacing;
    const float64 whole = std::floor(quotient);
    return static_cast<int64>(quotient - whole > 0.5 ? whole + 1 : whole);
}

// All bands over the sound, four complex poles in a row; mean of the rectified output of every hop.
template <class T>
void gammatone(int64 hops, int64 bands, int64 hop, const T* sound, const T* poles, int bits,
               T* state, T* out) {
    constexpr int ORDER = 4;
    for (int64 row = 0; row < hops; row++, sound += hop)
        for (int64 band = 0; band < bands; band++) {
            const T real = poles[band], imag = poles[bands + band], gain = poles[2 * bands + band];
            T* z = state + band * ORDER * 2;
            T total = 0;
            for (int64 n = 0; n < hop; n++) {
                T re = sound[n], im = 0;
                for (int i = 0; i < ORDER; i++) {
                    const T x = z[2 * i], y = z[2 * i + 1];
                    re = without_fraction(real * x - imag * y + gain * re, bits);
                    im = without_fraction(real * y + imag * x + gain * im, bits);
                    z[2 * i] = re, z[2 * i + 1] = im;
                }
                total += std::abs(2 * re);
            }
            out[row * bands + band] = total / static_cast<T>(hop);
        }
}

// The following take a value [column] after the other, with a state for each column.

// Send what a value differs from all that was sent, once it reaches the threshold.
template <class T>
void delta(T value, T threshold, T& sent, T* out, int64) {
    const T change = value - sent;
    const T payload = std::abs(change) >= threshold ? change : 0;
    *out = payload;
    sent += payload;
}

// Add values up; send +1 or -1 and take the threshold off once the sum reaches it.
template <class T>
void sigma_delta(T value, T threshold, T& held, int64* out, int64) {
    held += value;
    const int64 spike = (held >= threshold) - (held <= -threshold);
    *out = spike;
    held -= static_cast<T>(spike) * threshold;
}

// Count levels crossed upwards (first half of a row) and downwards since the last crossing.
template <class T>
void level_crossing(T value, T spacing, int64& level, int64* out, int64 width) {
    const T change = value - static_cast<T>(level) * spacing;
    const int64 crossed = times(std::abs(change), spacing);
    const bool up = change >= 0;
    out[0] = up ? crossed : 0, out[width] = up ? 0 : crossed;
    level += up ? crossed : -crossed;
}

// Follow each value by at most one threshold a step.
template <class T>
void track(T value, T threshold, T& level, int64* out, int64) {
    const T change = value - level;
    const int64 spike = (change > threshold) - (change < -threshold);
    *out = spike;
    level += static_cast<T>(spike) * threshold;
}
}  // namespace

#define COLUMNS(name, T, State, Out, PARTS)                                                    \
    API void nd_##name##_##T(int64 steps, int64 width, const T* rows, T threshold,             \
                             State* state, Out* out) {                                         \
        for (int64 t = 0; t < steps; t++, rows += width, out += PARTS * width)                 \
            for (int64 j = 0; j < width; j++) name(rows[j], threshold, state[j], out + j, width); \
    }
COLUMNS(delta, float64, float64, float64, 1)
COLUMNS(delta, int64, int64, int64, 1)
COLUMNS(sigma_delta, float64, float64, int64, 1)
COLUMNS(sigma_delta, int64, int64, int64, 1)
COLUMNS(level_crossing, float64, int64, int64, 2)
COLUMNS(level_crossing, int64, int64, int64, 2)
COLUMNS(track, float64, float64, int64, 1)
COLUMNS(track, int64, int64, int64, 1)

API void nd_gammatone_float64(int64 hops, int64 bands, int64 hop, const float64* sound,
                              const float64* poles, int bits, float64* state, float64* out) {
    gammatone(hops, bands, hop, sound, poles, bits, state, out);
}
API void nd_gammatone_int64(int64 hops, int64 bands, int64 hop, const int64* sound,
                            const int64* poles, int bits, int64* state, int64* out) {
    gammatone(hops, bands, hop, sound, poles, bits, state, out);
}

// Add each of `columns` [n, m] times its number of `vector` [n] to `out` [m], in this order, so
// that sums of doubles come out the same on every machine. (A BLAS would wake other threads, too.)
API void nd_product(int64 n, int64 m, const float64* columns, const float64* vector,
                    float64* __restrict out) {
    int64 k = 0;
    for (; k + 3 < n; k += 4) {  // four at once, so that `out` is loaded and stored less often
        const float64 *a = columns + k * m, *b = a + m, *c = b + m, *d = c + m;
        const float64* v = vector + k;
        for (int64 j = 0; j < m; j++)
            out[j] = out[j] + v[0] * a[j] + v[1] * b[j] + v[2] * c[j] + v[3] * d[j];
    }
    for (; k < n; k++)
        for (int64 j = 0; j < m; j++) out[j] += vector[k] * columns[k * m + j];
}

// A frame in 1/gain standard deviations, rounded and clipped; sums from the first to the last.
API void nd_normalised(int64 n, const float64* frame, float64 gain, float64 largest,
                       float64 epsilon, int64* out) {
    float64 mean = 0, variance = 0;
    for (int64 i = 0; i < n; i++) mean += frame[i];
    mean /= static_cast<float64>(n);
    for (int64 i = 0; i < n; i++) variance += (frame[i] - mean) * (frame[i] - mean);
    const float64 scale = gain / std::sqrt(variance / static_cast<float64>(n) + epsilon);
    for (int64 i = 0; i < n; i++) {
        const float64 x = (frame[i] - mean) * scale;
        out[i] = static_cast<int64>(std::rint(x > -largest ? x < largest ? x : largest : -largest));
    }
}

// A frame times the logistic function of what a network sent.
API void nd_masked(int64 n, const float64* frame, const int32_t* output, float64 unit,
                   const float64* bias, float64* out) {
    for (int64 i = 0; i < n; i++) out[i] = frame[i] / (1 + std::exp(-(output[i] / unit + bias[i])));
}
