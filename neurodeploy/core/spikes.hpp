// What a population sends: a bitmap for every step, lists of who sent, and payloads.
//
// Steps lie in a ring of slots. It holds a window of steps that is being written, those before it
// that somebody may still read, and those after it into which axons already deliver.
#pragma once
#include "lanes.hpp"
#include "network.hpp"
#include <algorithm>
#include <bit>

namespace nd::ND_ISA {

template <class T>
void make_room(Array<T>& a, size_t n) {
    if (a.size() < n) a.resize(std::max(n, 2 * a.size()));
}

// Positions of the bits of each byte.
struct BytePositions {
    uint16_t of[256][8];
};
constexpr BytePositions byte_positions() {
    BytePositions positions{};
    for (int byte = 0; byte < 256; byte++)
        for (int k = 0, n = 0; k < 8; k++)
            if (byte >> k & 1) positions.of[byte][n++] = static_cast<uint16_t>(k);
    return positions;
}
alignas(64) inline constexpr BytePositions BYTE_POSITIONS = byte_positions();

constexpr double BUSY = 0.12;  // share of a row, see `Spikes::busy`

constexpr int LIST_SLACK = 64;  // entries that `list_bits` may write beyond the last

#if !defined(ND_AVX512)
inline uint16_t* list_bytes(uint64_t word, int first, uint16_t* to) {
    using Eight = uint16_t ND_VECTOR(16);
    for (int k = 0; k < 64; k += 8) {
        const unsigned byte = word >> k & 255;
        store(to, load<Eight>(BYTE_POSITIONS.of[byte]) + static_cast<uint16_t>(first + k));
        to += __builtin_popcount(byte);
    }
    return to;
}

// Bit by bit, of words with so few; always as many bits, since a loop that ends with the last is
// guessed wrongly nearly every time.
template <int FEW>
uint16_t* list_few(const uint64_t* bits, int words, uint16_t* to) {
    for (int w = 0; w < words; w++) {
        const int n = std::popcount(bits[w]);
        if (n > FEW) {
            to = list_bytes(bits[w], 64 * w, to);
            continue;
        }
        uint64_t word = bits[w];
        for (int k = 0; k < FEW; k++, word &= word - 1)
            to[k] = static_cast<uint16_t>(64 * w + std::countr_zero(word));
        to += n;
    }
    return to;
}
#endif

// Lists the positions of all `n` bits; gives the new end.
inline uint16_t* list_bits(const uint64_t* bits, int words, int n, uint16_t* to) {
#if defined(ND_AVX512)
    (void)n;
    const __m512i sixteen = _mm512_set1_epi32(16);
    __m512i place = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    for (int w = 0; w < words; w++)
        for (int k = 0; k < 64; k += 16) {
            const auto some = static_cast<__mmask16>(bits[w] >> k);
            const __m512i found = _mm512_maskz_compress_epi32(some, place);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(found));
            to += __builtin_popcount(some);
            place = _mm512_add_epi32(place, sixteen);
        }
    return to;
#else
    // So that words of a row seldom differ in the way they take.
    if (2 * n <= 3 * words) return list_few<4>(bits, words, to);
    if (2 * n <= 7 * words) return list_few<7>(bits, words, to);
    for (int w = 0; w < words; w++) to = list_bytes(bits[w], 64 * w, to);
    return to;
#endif
}

struct Spikes {
    Layout layout;
    bool graded = false, listed = false;
    int64_t window = 1, slots = 1;
    Array<uint64_t> bits;   // [row][slot][words + 1], the last word 0
    Array<uint16_t> rank;   // as bits: spikes in the words before
    Array<int32_t> payloads;  // [row][slot][stride], where graded
    std::vector<Array<uint16_t>> lists;  // [row][window in the ring]
    std::vector<uint32_t> starts, ends;  // [row][slot]: a step's part of its list
    bool all_listed = true;  // or only the rows that are not busy, see `busy`

    // `before`: steps that are read back; `after`: the longest delay of an axon.
    void prepare(const Layout& of, bool has_payloads, bool is_listed, int64_t steps,
                 int64_t steps_of_window, int64_t before, int64_t after) {
        layout = of, graded = has_payloads, listed = is_listed, window = steps_of_window;
        slots = steps <= window ? window + after : before + window + after;
        slots = (slots + window - 1) / window * window;  // so that no window is cut in two
        bits.assign(size_t(layout.rows) * slots * (layout.words + 1) + 16, 0);
        payloads.assign(graded ? size_t(layout.rows) * slots * layout.stride() : 0, 0);
        if (!listed) return;
        rank.assign(bits.size(), 0);
        lists.resize(size_t(layout.rows) * (slots / window));
        starts.assign(size_t(layout.rows) * slots, 0);
        ends = starts;
    }

    // Divisions take longer than what they are for: most runs are one window.
    int64_t slot(int64_t t) const { return t < slots ? t : t % slots; }
    size_t at(int row, int64_t t) const { return size_t(row) * slots + slot(t); }
    uint64_t* bits_at(int row, int64_t t) { return bits.data() + at(row, t) * (layout.words + 1); }
    const uint64_t* bits_at(int row, int64_t t) const {
        return bits.data() + at(row, t) * (layout.words + 1);
    }
    const uint16_t* rank_at(int row, int64_t t) const {
        return rank.data() + at(row, t) * (layout.words + 1);
    }
    int32_t* payload_at(int row, int64_t t) {
        return payloads.data() + at(row, t) * layout.stride();
    }
    const int32_t* payload_at(int row, int64_t t) const {
        return payloads.data() + at(row, t) * layout.stride();
    }
    size_t list_of(int row, int64_t t) const {
        const int64_t place = slot(t);
        if (slots == window) return row;
        return size_t(row) * (slots / window) + place / window;
    }
    const uint16_t* list_at(int row, int64_t t) const {
        return lists[list_of(row, t)].data() + starts[at(row, t)];
    }
    int count_at(int row, int64_t t) const { return rank_at(row, t)[layout.words]; }

    int sent_by(int row, int64_t t) const {
        const uint64_t* sent = bits_at(row, t);
        int n = 0;
        for (int w = 0; w < layout.words; w++) n += __builtin_popcountll(sent[w]);
        return n;
    }

    // Whether so many neurons of a row sent that sums are better looked up in tables.
    bool busy(int row, int64_t t) const { return count_at(row, t) > BUSY * layout.row; }

    void clear(int row, int64_t t) { std::memset(bits_at(row, t), 0, 8 * size_t(layout.words)); }

    // List what a row sent in step t, behind the steps of its window before.
    void list_row(int row, int64_t t) {
        const uint64_t* sent = bits_at(row, t);
        uint16_t* ranks = rank.data() + at(row, t) * (layout.words + 1);
        uint32_t n = 0;
        for (int w = 0; w < layout.words; w++) {
            ranks[w] = static_cast<uint16_t>(n);
            n += __builtin_popcountll(sent[w]);
        }
        ranks[layout.words] = static_cast<uint16_t>(n);
        const int64_t place = slot(t);
        const bool begins = slots == window ? place == 0 : place % window == 0;
        const uint32_t first = begins ? 0 : ends[at(row, t - 1)];
        starts[at(row, t)] = ends[at(row, t)] = first;
        if (!all_listed && busy(row, t)) return;
        ends[at(row, t)] = first + n;
        Array<uint16_t>& list = lists[list_of(row, t)];
        make_room(list, first + n + LIST_SLACK);
        list_bits(sent, layout.words, static_cast<int>(n), list.data() + first);
    }
};

// Spikes in a row before a bit.
inline int rank_of(const uint64_t* bits, const uint16_t* rank, int bit) {
    const uint64_t before = (uint64_t(1) << (bit & 63)) - 1;
    return rank[bit >> 6] + __builtin_popcountll(bits[bit >> 6] & before);
}

// Call visit(row, column, payload) for each message of step t, in order of row and column.
template <class Visit>
void each_message(const Spikes& from, int64_t t, Visit visit) {
    for (int row = 0; row < from.layout.rows; row++) {
        const uint16_t* column = from.list_at(row, t);
        const int n = from.count_at(row, t);
        const int32_t* payload = from.graded ? from.payload_at(row, t) : nullptr;
        for (int k = 0; k < n; k++) visit(row, column[k], payload ? payload[column[k]] : 1);
    }
}

// a + b + c, bit by bit.
inline void add_bits(U64& twos, U64& ones, U64 a, U64 b, U64 c) {
    const U64 either = a ^ b;
    twos = (a & b) | (either & c);
    ones = either ^ c;
}

// Adds up how often each neuron of a row sent in steps t0..t1 of one window, into `counts` of a
// whole row of words. The bits of all steps are added 64 neurons to a word, by counters of which
// each bit stands in another plane: two or three operations for hundreds of neurons.
inline void count_row(const Spikes& sent, int row, int64_t t0, int64_t t1, uint32_t* counts) {
    const int words = sent.layout.words, stride = words + 1, steps = static_cast<int>(t1 - t0);
    constexpr int GROUP = REGISTER_BYTES / 8;
    int planes = 0;
    while (steps >> planes) planes++;
    for (int first = 0; first < words; first += GROUP) {
        U64 plane[32] = {};
        auto carry_into = [&](U64 carry, int k) {
            for (; k < planes; k++) {
                const U64 both = plane[k] & carry;
                plane[k] ^= carry;
                carry = both;
            }
        };
        const uint64_t* at = sent.bits_at(row, t0) + first;
        int t = 0;
        for (; t + 4 <= steps; t += 4, at += 4 * stride) {
            U64 twos, more_twos, fours;
            add_bits(twos, plane[0], plane[0], load<U64>(at), load<U64>(at + stride));
            add_bits(more_twos, plane[0], plane[0], load<U64>(at + 2 * stride),
                     load<U64>(at + 3 * stride));
            add_bits(fours, plane[1], plane[1], twos, more_twos);
            carry_into(fours, 2);
        }
        for (; t < steps; t++, at += stride) carry_into(load<U64>(at), 0);
        for (int w = first; w < first + GROUP && w < words; w++)
            for (int k = 0; k < 64; k += LANES) {
                I sum = {};
                for (int b = 0; b < planes; b++) {
                    const auto* plane_words = reinterpret_cast<const char*>(&plane[b]);
                    const auto some = load<uint64_t>(plane_words + 8 * (w - first)) >> k;
#if defined(ND_AVX512)
                    sum = (I)_mm512_mask_add_epi32((__m512i)sum, static_cast<__mmask16>(some),
                                                   (__m512i)sum, _mm512_set1_epi32(1 << b));
#else
                    I each;
                    for (int lane = 0; lane < LANES; lane++) each[lane] = 1 << lane;
                    const I set = (all(static_cast<int32_t>(some)) & each) == each;
                    sum -= set << b;
#endif
                }
                store(counts + 64 * w + k, sum);
            }
    }
}

}  // namespace nd::ND_ISA
