// A register of neurons, in which every equation of the core is written.
//
// One width for each instruction set: vectors wider than the machine's are lowered to scalar code
// without a word, ten times as slow. Plain loops are no way either: whether a compiler vectorises
// one hangs on details that nobody sees.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bitmaps and packed bytes need it");

namespace nd::ND_ISA {

// Bytes of a register. -DND_WIDTH asks for another than the machine's: far slower, but it runs
// everywhere, and so what depends on the width is tested on machines that lack it.
#if !defined(ND_WIDTH)
#if defined(__AVX512BW__) && defined(__AVX512DQ__)
#define ND_WIDTH 64
#elif defined(__AVX2__)
#define ND_WIDTH 32
#else
#define ND_WIDTH 16
#endif
#endif
#if ND_WIDTH == 64 && defined(__AVX512BW__) && defined(__AVX512DQ__)
#define ND_AVX512
#elif ND_WIDTH == 32 && defined(__AVX2__)
#define ND_AVX2
#elif ND_WIDTH == 16 && defined(__SSE2__)
#define ND_SSE2
#elif ND_WIDTH == 16 && defined(__aarch64__)
#define ND_NEON
#endif
constexpr int REGISTER_BYTES = ND_WIDTH;

#define ND_VECTOR(bytes) __attribute__((vector_size(bytes)))
using I = int32_t ND_VECTOR(REGISTER_BYTES);
using U8 = uint8_t ND_VECTOR(REGISTER_BYTES);
using U16 = uint16_t ND_VECTOR(REGISTER_BYTES);
using S16 = int16_t ND_VECTOR(REGISTER_BYTES);
using U64 = uint64_t ND_VECTOR(REGISTER_BYTES);
using HalfU16 = uint16_t ND_VECTOR(REGISTER_BYTES / 2);
using HalfS16 = int16_t ND_VECTOR(REGISTER_BYTES / 2);

constexpr int LANES = REGISTER_BYTES / 4;
constexpr int LANES16 = REGISTER_BYTES / 2;

template <class V>
inline V load(const void* from) {
    V value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <class V>
inline void store(void* to, V value) {
    std::memcpy(to, &value, sizeof value);
}

inline I all(int32_t value) { return I{} + value; }

// 0, 1, 2 ... from `first` on.
inline I counting(int32_t first) {
    I x;
    for (int k = 0; k < LANES; k++) x[k] = first + k;
    return x;
}

inline I magnitude(I x) { return x < 0 ? -x : x; }

// x, or -x where `of` is negative; where `of` is 0, x has to be, too.
inline I signed_as(I x, I of) {
#if defined(ND_AVX2)
    return (I)_mm256_sign_epi32((__m256i)x, (__m256i)of);
#elif defined(ND_SSE2) && defined(__SSSE3__)
    return (I)_mm_sign_epi32((__m128i)x, (__m128i)of);
#else
    return of < 0 ? -x : x;
#endif
}

// Bits moved down, with zeros above them.
inline I shifted_down(I x, int places) {
    using Bits = uint32_t ND_VECTOR(REGISTER_BYTES);
    return (I)((Bits)x >> places);
}

inline I larger(I a, I b) { return a > b ? a : b; }
inline I smaller(I a, I b) { return a < b ? a : b; }

// One bit for each lane of a mask (0 or -1 in each).
inline uint64_t bits_of(I mask) {
#if defined(ND_AVX512)
    return _mm512_movepi32_mask((__m512i)mask);
#elif defined(ND_AVX2)
    return static_cast<uint32_t>(_mm256_movemask_ps((__m256)mask));
#elif defined(ND_SSE2)
    return static_cast<uint32_t>(_mm_movemask_ps((__m128)mask));
#elif defined(ND_NEON)
    const uint32x4_t place = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32((uint32x4_t)mask, place));
#else
    uint64_t bits = 0;
    for (int k = 0; k < LANES; k++) bits |= static_cast<uint64_t>(mask[k] & 1) << k;
    return bits;
#endif
}

inline int64_t sum_of(I x) {
    int64_t sum = 0;
    for (int k = 0; k < LANES; k++) sum += x[k];
    return sum;
}

inline I widened(HalfS16 x) {
#if defined(ND_AVX512)
    return (I)_mm512_cvtepi16_epi32((__m256i)x);
#elif defined(ND_AVX2)
    return (I)_mm256_cvtepi16_epi32((__m128i)x);
#else
    return __builtin_convertvector(x, I);
#endif
}

inline I widened(HalfU16 x) {
#if defined(ND_AVX512)
    return (I)_mm512_cvtepu16_epi32((__m256i)x);
#elif defined(ND_AVX2)
    return (I)_mm256_cvtepu16_epi32((__m128i)x);
#else
    return __builtin_convertvector(x, I);
#endif
}

// a0 b0 a1 b1 ... of the lower halves of each 16 bytes, and of the upper ones.
struct Interleaved {
    S16 low, high;
};
inline Interleaved interleaved(S16 a, S16 b) {
#if defined(ND_AVX512)
    return {(S16)_mm512_unpacklo_epi16((__m512i)a, (__m512i)b),
            (S16)_mm512_unpackhi_epi16((__m512i)a, (__m512i)b)};
#elif defined(ND_AVX2)
    return {(S16)_mm256_unpacklo_epi16((__m256i)a, (__m256i)b),
            (S16)_mm256_unpackhi_epi16((__m256i)a, (__m256i)b)};
#elif defined(ND_SSE2)
    return {(S16)_mm_unpacklo_epi16((__m128i)a, (__m128i)b),
            (S16)_mm_unpackhi_epi16((__m128i)a, (__m128i)b)};
#else
    Interleaved both;
    for (int k = 0; k < LANES16; k++) {
        const int from = k / 8 * 8 + k % 8 / 2;
        both.low[k] = k % 2 ? b[from] : a[from];
        both.high[k] = k % 2 ? b[from + 4] : a[from + 4];
    }
    return both;
#endif
}

// Where in a register of 16-bit numbers column k stands, so that `interleaved` gives the columns
// of one register of 32-bit numbers in order, then those of the next.
constexpr int place_to_interleave(int k) {
    return k % LANES / 4 * 8 + k / LANES * 4 + k % 4;
}

// The sums of two neighbours' products.
inline I sums_of_products(S16 a, S16 b) {
#if defined(ND_AVX512)
    return (I)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(ND_AVX2)
    return (I)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(ND_SSE2)
    return (I)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
    I sums;
    for (int k = 0; k < LANES; k++) sums[k] = a[2 * k] * b[2 * k] + a[2 * k + 1] * b[2 * k + 1];
    return sums;
#endif
}

inline I load_widened(const int16_t* from) { return widened(load<HalfS16>(from)); }
inline I load_widened(const int32_t* from) { return load<I>(from); }

// One bit for each of 64 bytes: whether it is not 0.
inline uint64_t bits_of_bytes(const uint8_t* bytes) {
#if defined(ND_AVX512)
    __m512i x = _mm512_loadu_si512(bytes);
    return _mm512_test_epi8_mask(x, x);
#elif defined(ND_AVX2)
    auto half = [](const uint8_t* from) {
        __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        return static_cast<uint32_t>(
            ~_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, _mm256_setzero_si256())));
    };
    return half(bytes) | static_cast<uint64_t>(half(bytes + 32)) << 32;
#else
    constexpr uint64_t LOW = 0x7f7f7f7f7f7f7f7fu, ONES = 0x0101010101010101u;
    uint64_t bits = 0;
    for (int k = 0; k < 8; k++) {
        auto eight = load<uint64_t>(bytes + 8 * k);
        eight = (((eight & LOW) + LOW) | eight) >> 7 & ONES;  // 1 in each byte that is not 0
        bits |= (eight * 0x0102040810204080u >> 56) << (8 * k);
    }
    return bits;
#endif
}

}  // namespace nd::ND_ISA
