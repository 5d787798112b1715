/* What the machine can do at most: add int8 rows into accumulators, nothing else.
   Every variant sums, for each of `sums` results, the `rows` rows named in `index`
   of a matrix [*, width] of int8 into int32 [width]. rows * 128 must fit int16
   (at most 255 rows) and 512 must divide width. */

#include <stdint.h>
#include <string.h>

/* As a compiler makes it of the plain loop. */
void add_plain(const int8_t *matrix, const int32_t *index, int sums, int rows, int width,
               int32_t *out) {
    for (int s = 0; s < sums; s++, out += width, index += rows) {
        memset(out, 0, 4 * (size_t)width);
        for (int r = 0; r < rows; r++) {
            const int8_t *row = matrix + (size_t)index[r] * width;
            for (int j = 0; j < width; j++) out[j] += row[j];
        }
    }
}

/* Four rows at once into int16 that stay in L1. */
void add_four(const int8_t *matrix, const int32_t *index, int sums, int rows, int width,
              int32_t *out) {
    int16_t sum[width];
    for (int s = 0; s < sums; s++, out += width, index += rows) {
        memset(sum, 0, sizeof sum);
        int r = 0;
        for (; r + 3 < rows; r += 4) {
            const int8_t *a = matrix + (size_t)index[r] * width;
            const int8_t *b = matrix + (size_t)index[r + 1] * width;
            const int8_t *c = matrix + (size_t)index[r + 2] * width;
            const int8_t *d = matrix + (size_t)index[r + 3] * width;
            for (int j = 0; j < width; j++)
                sum[j] += (int16_t)(a[j] + b[j]) + (int16_t)(c[j] + d[j]);
        }
        for (; r < rows; r++) {
            const int8_t *a = matrix + (size_t)index[r] * width;
            for (int j = 0; j < width; j++) sum[j] += a[j];
        }
        for (int j = 0; j < width; j++) out[j] = sum[j];
    }
}

#if defined(__AVX512BW__)
#include <immintrin.h>

/* Accumulators in registers, 512 columns at a time, all rows: widen and add. */
void add_widened(const int8_t *matrix, const int32_t *index, int sums, int rows, int width,
                 int32_t *out) {
    for (int s = 0; s < sums; s++, out += width, index += rows)
        for (int at = 0; at < width; at += 512) {
            __m512i sum[16];
#pragma GCC unroll 16
            for (int k = 0; k < 16; k++) sum[k] = _mm512_setzero_si512();
            for (int r = 0; r < rows; r++) {
                const int8_t *row = matrix + (size_t)index[r] * width + at;
#pragma GCC unroll 16
                for (int k = 0; k < 16; k++)
                    sum[k] = _mm512_add_epi16(
                        sum[k], _mm512_cvtepi8_epi16(
                                    _mm256_loadu_si256((const __m256i *)(row + 32 * k))));
            }
#pragma GCC unroll 16
            for (int k = 0; k < 16; k++) {
                __m512i low = _mm512_cvtepi16_epi32(_mm512_castsi512_si256(sum[k]));
                __m512i high = _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(sum[k], 1));
                _mm512_storeu_si512(out + at + 32 * k, low);
                _mm512_storeu_si512(out + at + 32 * k + 16, high);
            }
        }
}

/* Two rows at once: their bytes in turn, times one, neighbours added; 512 columns. */
void add_paired(const int8_t *matrix, const int32_t *index, int sums, int rows, int width,
                int32_t *out) {
    const __m512i ones = _mm512_set1_epi8(1);
    static const int8_t none[512];
    for (int s = 0; s < sums; s++, out += width, index += rows)
        for (int at = 0; at < width; at += 512) {
            __m512i low[8], high[8];
#pragma GCC unroll 8
            for (int k = 0; k < 8; k++) low[k] = high[k] = _mm512_setzero_si512();
            for (int r = 0; r < rows; r += 2) {
                const int8_t *a = matrix + (size_t)index[r] * width + at;
                const int8_t *b =
                    r + 1 < rows ? matrix + (size_t)index[r + 1] * width + at : none;
#pragma GCC unroll 8
                for (int k = 0; k < 8; k++) {
                    __m512i x = _mm512_loadu_si512(a + 64 * k);
                    __m512i y = _mm512_loadu_si512(b + 64 * k);
                    low[k] = _mm512_add_epi16(
                        low[k], _mm512_maddubs_epi16(ones, _mm512_unpacklo_epi8(x, y)));
                    high[k] = _mm512_add_epi16(
                        high[k], _mm512_maddubs_epi16(ones, _mm512_unpackhi_epi8(x, y)));
                }
            }
            /* Lane l of 16 columns: its first 8 in low, its last 8 in high. */
            for (int k = 0; k < 8; k++) {
                int16_t first[32], last[32];
                _mm512_storeu_si512(first, low[k]);
                _mm512_storeu_si512(last, high[k]);
                for (int l = 0; l < 4; l++) {
                    int32_t *to = out + at + 64 * k + 16 * l;
                    _mm256_storeu_si256(
                        (__m256i *)to,
                        _mm256_cvtepi16_epi32(_mm_loadu_si128((__m128i *)(first + 8 * l))));
                    _mm256_storeu_si256(
                        (__m256i *)(to + 8),
                        _mm256_cvtepi16_epi32(_mm_loadu_si128((__m128i *)(last + 8 * l))));
                }
            }
        }
}
#elif defined(__AVX2__)
#include <immintrin.h>

/* Accumulators in registers, 128 columns at a time, all rows: widen and add. */
void add_widened(const int8_t *matrix, const int32_t *index, int sums, int rows, int width,
                 int32_t *out) {
    for (int s = 0; s < sums; s++, out += width, index += rows)
        for (int at = 0; at < width; at += 128) {
            __m256i sum[8];
#pragma GCC unroll 8
            for (int k = 0; k < 8; k++) sum[k] = _mm256_setzero_si256();
            for (int r = 0; r < rows; r++) {
                const int8_t *row = matrix + (size_t)index[r] * width + at;
#pragma GCC unroll 8
                for (int k = 0; k < 8; k++)
                    sum[k] = _mm256_add_epi16(
                        sum[k],
                        _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(row + 16 * k))));
            }
            for (int k = 0; k < 8; k++) {
                __m256i low = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(sum[k]));
                __m256i high = _mm256_cvtepi16_epi32(_mm256_extracti128_si256(sum[k], 1));
                _mm256_storeu_si256((__m256i *)(out + at + 16 * k), low);
                _mm256_storeu_si256((__m256i *)(out + at + 16 * k + 8), high);
            }
        }
}
#endif
