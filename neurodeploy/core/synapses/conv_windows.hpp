// Convolutions by target: each adds up, in registers, what its window sent.
//
// In a row of [width][channels] the inputs of a kernel row stand side by side, so that a rank in
// the bitmap says where a window's messages begin and end in the row's list. Where many send,
// tables take over: nine neighbouring inputs are nine bits, which pick the sum of their weights
// out of 512 (the method of Arlazarov, Dinic, Kronrod and Faradzev, 1970).
#pragma once
#include "delivery.hpp"

namespace nd::ND_ISA {

constexpr int MOST_KERNEL_ROWS = 16;
constexpr int MOST_TAPS = 4096;  // of a window

inline bool window_suits(const Kernel& kernel, const Layout& from) {
    return !kernel.transposed && kernel.groups == 1 && kernel.dilation[1] == 1 &&
           kernel.height <= MOST_KERNEL_ROWS &&
           int64_t(kernel.height) * kernel.width * from.channels <= MOST_TAPS;
}

// Whether no subset of a target's weights leaves 16 bits.
inline bool sums_fit_16_bits(const Kernel& kernel) {
    const size_t taps = kernel.weight.size() / kernel.out;
    for (int o = 0; o < kernel.out; o++) {
        int64_t least = 0, most = 0;
        for (size_t k = 0; k < taps; k++) {
            const int32_t weight = kernel.weight[o * taps + k];
            (weight < 0 ? least : most) += weight;
        }
        if (least < INT16_MIN || most > INT16_MAX) return false;
    }
    return true;
}

template <class Sum>
class ConvWindows {
    static constexpr bool NARROW = std::is_same_v<Sum, S16>;
    using Weight = std::conditional_t<NARROW, int16_t, int32_t>;
    static constexpr int L = NARROW ? LANES16 : LANES;
    static constexpr int MOST = REGISTER_BYTES == 64 ? 8 : 4;  // registers of sums at a time
    static constexpr int TABLE_BITS = 9;
    static constexpr size_t PATTERNS = size_t(1) << TABLE_BITS;
    static constexpr size_t TABLE_BYTES = size_t(1) << 19;  // they should stay in a core's cache

public:
    ConvWindows(const Kernel& kernel, const Layout& from, const Layout& to)
        : height_(kernel.height), width_(kernel.width), channels_(from.channels),
          out_(to.channels), positions_(to.width), sources_(from.width), source_rows_(from.height),
          step_y_(kernel.stride[0]), step_x_(kernel.stride[1]), pad_y_(kernel.padding[0]),
          pad_x_(kernel.padding[1]), spread_(kernel.dilation[0]) {
        registers_ = (out_ + L - 1) / L;
        length_ = registers_ * L;
        const size_t taps = size_t(height_) * width_ * channels_;
        weight_.assign(taps * length_, 0);
        for (int o = 0; o < out_; o++)
            for (int c = 0; c < channels_; c++)
                for (int ky = 0; ky < height_; ky++)
                    for (int kx = 0; kx < width_; kx++) {
                        const size_t tap = (size_t(ky) * width_ + kx) * channels_ + c;
                        const size_t at = ((size_t(o) * channels_ + c) * height_ + ky) * width_ + kx;
                        weight_[tap * length_ + o] = static_cast<Weight>(kernel.weight[at]);
                    }
        make_tables();
    }

    void deliver(const Spikes& from, int64_t sent, const Tile& tile, Currents& into) const {
        // The last registers of a target reach into the next one, whose first are there already.
        if (registers_ > MOST) into.zeroed();
        for (int r = 0; r < tile.rows; r++) {
            const Rows rows = rows_of(from, sent, tile.row + r);
            int32_t* to = into.at + size_t(r) * tile.columns;
            for (int first = 0; first < registers_; first += MOST)
                add<MOST>(std::min(MOST, registers_ - first), rows, first, to, !into.empty);
        }
        into.empty = false;
    }

    // Whether it does without lists of busy rows.
    bool has_tables() const { return !tables_.empty(); }

private:
    int height_, width_, channels_, out_, positions_, sources_, source_rows_;
    int step_y_, step_x_, pad_y_, pad_x_, spread_;
    int registers_, length_;    // of a tap's weights
    Array<Weight> weight_;      // [kernel rows][kernel columns][channels][length]
    std::vector<int> edges_;    // where the pieces of a kernel row begin and end
    Array<Weight> tables_;      // [kernel rows][pieces][patterns][length], or none

    // The source's rows that a target row looks at.
    struct Rows {
        int n = 0;
        bool busy = false;
        int tap[MOST_KERNEL_ROWS];
        const uint64_t* bits[MOST_KERNEL_ROWS];
        const uint16_t* rank[MOST_KERNEL_ROWS];
        const uint16_t* list[MOST_KERNEL_ROWS];
        const int32_t* payload[MOST_KERNEL_ROWS];
        bool graded;
    };

    Rows rows_of(const Spikes& from, int64_t sent, int y) const {
        Rows rows;
        rows.graded = from.graded;
        for (int ky = 0; ky < height_; ky++) {
            const int row = y * step_y_ - pad_y_ + ky * spread_;
            if (row < 0 || row >= source_rows_) continue;
            const int n = rows.n++;
            rows.tap[n] = ky;
            rows.bits[n] = from.bits_at(row, sent);
            rows.rank[n] = from.rank_at(row, sent);
            rows.list[n] = from.list_at(row, sent);
            rows.payload[n] = from.graded ? from.payload_at(row, sent) : nullptr;
            rows.busy |= from.busy(row, sent);
        }
        return rows;
    }

    void make_tables() {
        const int inputs = width_ * channels_;
        const int pieces = (inputs + TABLE_BITS - 1) / TABLE_BITS;
        const size_t size = size_t(height_) * pieces * PATTERNS * length_;
        if (!NARROW || registers_ > MOST || size * sizeof(Weight) > TABLE_BYTES) return;
        for (int k = 0; k <= pieces; k++) edges_.push_back(inputs * k / pieces);
        tables_.assign(size, 0);
        for (int ky = 0; ky < height_; ky++)
            for (int piece = 0; piece < pieces; piece++) {
                Weight* table = tables_.data() + (size_t(ky) * pieces + piece) * PATTERNS * length_;
                const int bits = edges_[piece + 1] - edges_[piece];
                for (size_t pattern = 1; pattern < size_t(1) << bits; pattern++) {
                    const size_t tap = size_t(ky) * inputs + edges_[piece] + __builtin_ctzll(pattern);
                    const Weight* rest = table + (pattern & (pattern - 1)) * length_;
                    for (int k = 0; k < length_; k++)
                        table[pattern * length_ + k] =
                            static_cast<Weight>(rest[k] + weight_[tap * length_ + k]);
                }
            }
    }

    template <int N>
    void add(int registers, const Rows& rows, int first, int32_t* to, bool onto) const {
        if (registers != N) {
            if constexpr (N > 1) add<N - 1>(registers, rows, first, to, onto);
            return;
        }
        if (rows.graded) {
            if constexpr (!NARROW) add_messages<N, true>(rows, first, to, onto);
            return;
        }
        if (tables_.empty() || !rows.busy) add_messages<N, false>(rows, first, to, onto);
        else if (rows.n == 3 && edges_.size() == 2) look_up<N, 3, 1>(rows, to, onto);
        else look_up<N, 0, 0>(rows, to, onto);
    }

    template <int N, bool graded>
    void add_messages(const Rows& rows, int first, int32_t* to, bool onto) const {
        uint16_t found[MOST_TAPS + LIST_SLACK];
        int32_t times[graded ? MOST_TAPS : 1];
        const int taps = width_ * channels_;
        const Weight* weights = weight_.data() + first * L;
        for (int x = 0; x < positions_; x++) {
            const int start = (x * step_x_ - pad_x_) * channels_;
            const int begin = std::max(start, 0);
            const int end = std::min(start + taps, sources_ * channels_);
            int n = 0;
            for (int i = 0; i < rows.n && begin < end; i++) {
                const int e = rank_of(rows.bits[i], rows.rank[i], begin);
                const int many = rank_of(rows.bits[i], rows.rank[i], end) - e;
                const auto move = static_cast<uint16_t>(rows.tap[i] * taps - start);
                const uint16_t* who = rows.list[i] + e;
                for (int k = 0; k < many; k += LANES16)
                    store(found + n + k, load<U16>(who + k) + move);
                if constexpr (graded)
                    for (int k = 0; k < many; k++) times[n + k] = rows.payload[i][who[k]];
                n += many;
            }
            Sum sum[N], more[N];
#pragma GCC unroll 8
            for (int k = 0; k < N; k++) sum[k] = more[k] = Sum{};
            int i = 0;
            if constexpr (!graded)
                for (; i + 2 <= n; i += 2) {
                    const Weight* a = weights + size_t(found[i]) * length_;
                    const Weight* b = weights + size_t(found[i + 1]) * length_;
#pragma GCC unroll 8
                    for (int k = 0; k < N; k++) {
                        sum[k] += load<Sum>(a + k * L);
                        more[k] += load<Sum>(b + k * L);
                    }
                }
            for (; i < n; i++) {
                const Weight* a = weights + size_t(found[i]) * length_;
#pragma GCC unroll 8
                for (int k = 0; k < N; k++) {
                    const auto weight = load<Sum>(a + k * L);
                    if constexpr (graded) sum[k] += weight * times[i];
                    else sum[k] += weight;
                }
            }
            for (int k = 0; k < N; k++) sum[k] += more[k];
            write<N>(sum, to + x * out_ + first * L, onto);
        }
    }

    template <int N, int ROWS, int PIECES>  // 0: as many as there are
    void look_up(const Rows& rows, int32_t* to, bool onto) const {
        const int pieces = PIECES ? PIECES : static_cast<int>(edges_.size()) - 1;
        const Weight* tables[MOST_KERNEL_ROWS];
        for (int i = 0; i < rows.n; i++)
            tables[i] = tables_.data() + size_t(rows.tap[i]) * pieces * PATTERNS * length_;
        const int end = sources_ * channels_;
        for (int x = 0; x < positions_; x++) {
            const int start = (x * step_x_ - pad_x_) * channels_;
            const bool inside = start >= 0 && start + width_ * channels_ <= end;
            Sum sum[N];
#pragma GCC unroll 8
            for (int k = 0; k < N; k++) sum[k] = Sum{};
#pragma GCC unroll 4
            for (int i = 0; i < (ROWS ? ROWS : rows.n); i++)
                for (int piece = 0; piece < pieces; piece++) {
                    const int bit = start + edges_[piece];
                    const int length = edges_[piece + 1] - edges_[piece];
                    const size_t pattern = inside ? pattern_at(rows.bits[i], bit, length)
                                                  : cut_pattern(rows.bits[i], bit, length, end);
                    const Weight* table = tables[i] + (piece * PATTERNS + pattern) * length_;
#pragma GCC unroll 8
                    for (int k = 0; k < N; k++) sum[k] += load<Sum>(table + k * L);
                }
            write<N>(sum, to + x * out_, onto);
        }
    }

    static size_t pattern_at(const uint64_t* bits, int bit, int length) {
        const auto word = load<uint32_t>(reinterpret_cast<const char*>(bits) + (bit >> 3));
        return word >> (bit & 7) & ((1u << length) - 1);
    }

    // The same at a border, where bits before the row's first and behind its last are 0.
    static size_t cut_pattern(const uint64_t* bits, int bit, int length, int end) {
        size_t pattern = 0;
        for (int k = std::max(0, -bit); k < length && bit + k < end; k++)
            pattern |= size_t(bits[(bit + k) >> 6] >> ((bit + k) & 63) & 1) << k;
        return pattern;
    }

    // A target's registers may reach into the next one's, which is written after it.
    template <int N>
    static void write(const Sum* sum, int32_t* to, bool onto) {
        for (int k = 0; k < N; k++) {
            I parts[NARROW ? 2 : 1];
            if constexpr (NARROW) {
                HalfS16 half[2];
                std::memcpy(half, &sum[k], sizeof half);
                parts[0] = widened(half[0]), parts[1] = widened(half[1]);
            } else {
                parts[0] = sum[k];
            }
            for (int h = 0; h < (NARROW ? 2 : 1); h++) {
                int32_t* at = to + k * L + h * LANES;
                store(at, onto ? load<I>(at) + parts[h] : parts[h]);
            }
        }
    }
};

}  // namespace nd::ND_ISA
