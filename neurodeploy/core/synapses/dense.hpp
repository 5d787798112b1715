// Dense synapses: each message adds a row of weights.
#pragma once
#include "delivery.hpp"

namespace nd::ND_ISA {

// Plain spikes and weights of eight bits: rows of bytes, biased so that none has a sign. Two
// columns share 16 bits: `low` sums the numbers, `high` their upper bytes, both modulo 2^16, and
// `low - 2^8 high` is the sum of the lower bytes. Where weights leave bits to spare, two or four
// rows are first added as bytes.
class PackedRows {
    static constexpr int GROUPS = REGISTER_BYTES == 64 ? 8 : 4;  // registers of a block's row

public:
    static constexpr int COLUMNS = GROUPS * REGISTER_BYTES;

    static bool suits(const Matrix& matrix) {
        const auto [shift, least, most] = range_of(matrix);
        return int64_t(most) - least <= 255 && shift < 24;
    }

    PackedRows(const Matrix& matrix, const Layout& from, const Layout& to)
        : sources_(from.size()), row_(from.row) {
        const auto [shift, least, most] = range_of(matrix);
        const int span = std::max(1, most - least);
        shift_ = shift, bias_ = -least;
        most_rows_ = std::min(65535 / span, 1 << 14);
        together_ = span * 4 <= 255 ? 4 : span * 2 <= 255 ? 2 : 1;
        for (int first = 0; first < to.row; first += COLUMNS) {
            const int columns = std::min(COLUMNS, to.row - first);
            groups_.push_back((columns + REGISTER_BYTES - 1) / REGISTER_BYTES);
        }
        size_t size = 0;
        for (int r = 0; r < to.rows; r++)
            for (int groups : groups_) {
                first_.push_back(size);
                size += size_t(sources_) * groups * REGISTER_BYTES;
            }
        bytes_.assign(size, static_cast<uint8_t>(bias_));
        std::vector<int> place(sources_);
        for (int s = 0; s < sources_; s++) {
            const auto [row, column] = from.place(s);
            place[s] = row * row_ + column;
        }
        constexpr int HALF = REGISTER_BYTES / 2;
        for (int j = 0; j < to.size(); j++) {
            const auto [row, column] = to.place(j);
            const int block = column / COLUMNS, in_block = column % COLUMNS;
            const int in_group = in_block % REGISTER_BYTES;
            const int byte = in_group < HALF ? 2 * in_group : 2 * (in_group - HALF) + 1;
            const size_t length = size_t(groups_[block]) * REGISTER_BYTES;
            uint8_t* at = bytes_.data() + first_[row * groups_.size() + block] + byte +
                          in_block / REGISTER_BYTES * REGISTER_BYTES;
            const int32_t* weight = matrix.weight.data() + size_t(j) * sources_;
            for (int s = 0; s < sources_; s++)
                at[place[s] * length] = static_cast<uint8_t>((weight[s] >> shift_) + bias_);
        }
    }

    void deliver(const Spikes& from, int64_t sent, const Tile& tile, Currents& into) const {
        for (int r = 0; r < tile.rows; r++)
            for (int c = 0; c < tile.columns; c += COLUMNS) {
                const size_t block = (tile.column + c) / COLUMNS;
                if (block >= groups_.size()) break;
                const uint8_t* rows = bytes_.data() + first_[(tile.row + r) * groups_.size() + block];
                int32_t* to = into.at + size_t(r) * tile.columns + c;
                // A group may be wider than what is left of the tile.
                const int room = std::min(COLUMNS, tile.columns - c);
                add<GROUPS>(groups_[block], from, sent, rows, to, room, !into.empty);
            }
        into.empty = false;
    }

private:
    int sources_, row_, shift_, bias_, most_rows_, together_;
    std::vector<int> groups_;    // registers of the blocks of a target's row
    std::vector<size_t> first_;  // [target rows][blocks] into bytes
    Array<uint8_t> bytes_;       // [sources][groups][a register]

    struct Range {
        int shift, least, most;
    };
    static Range range_of(const Matrix& matrix) {
        uint32_t bits = 0;
        int32_t least = 0, most = 0;
        for (int32_t weight : matrix.weight) {
            bits |= static_cast<uint32_t>(weight);
            least = std::min(least, weight), most = std::max(most, weight);
        }
        const int shift = bits ? __builtin_ctz(bits) : 0;
        return {shift, least >> shift, most >> shift};
    }

    template <int N>
    void add(int groups, const Spikes& from, int64_t sent, const uint8_t* rows, int32_t* to,
             int room, bool onto) const {
        if (groups == N) add_to_block<N>(from, sent, rows, to, room, onto);
        else if constexpr (N > 1) add<N - 1>(groups, from, sent, rows, to, room, onto);
    }

    template <int N>
    void add_to_block(const Spikes& from, int64_t sent, const uint8_t* rows, int32_t* to, int room,
                      bool onto) const {
        U16 low[N], high[N];
#pragma GCC unroll 8
        for (int k = 0; k < N; k++) low[k] = high[k] = U16{};  // `= {}` would call memset
        int added = 0;
        auto write = [&] {
            for (int k = 0; k < N; k++) {
                spread(low[k] - (high[k] << 8), added, to, k * REGISTER_BYTES, room, onto);
                spread(high[k], added, to, k * REGISTER_BYTES + REGISTER_BYTES / 2, room, onto);
                low[k] = high[k] = U16{};
            }
            added = 0, onto = true;
        };
        for (int r = 0; r < from.layout.rows; r++) {
            const uint16_t* who = from.list_at(r, sent);
            const uint8_t* of_row = rows + size_t(r) * row_ * (N * REGISTER_BYTES);
            for (int n = from.count_at(r, sent); n > 0;) {
                const int now = std::min(n, most_rows_ - added);
                add_rows<N>(of_row, who, now, low, high);
                added += now, who += now, n -= now;
                if (added == most_rows_) write();
            }
        }
        if (added || !onto) write();
    }

    template <int N>
    void add_rows(const uint8_t* rows, const uint16_t* who, int n, U16* low_sums,
                  U16* high_sums) const {
        constexpr size_t LENGTH = size_t(N) * REGISTER_BYTES;
        U16 low[N], high[N];
#pragma GCC unroll 8
        for (int k = 0; k < N; k++) low[k] = low_sums[k], high[k] = high_sums[k];
        auto add = [&](int k, U16 numbers) {
            low[k] += numbers;
            high[k] += numbers >> 8;
        };
        int i = 0;
        if (together_ >= 4)
            for (; i + 4 <= n; i += 4) {
                const uint8_t *a = rows + who[i] * LENGTH, *b = rows + who[i + 1] * LENGTH;
                const uint8_t *c = rows + who[i + 2] * LENGTH, *d = rows + who[i + 3] * LENGTH;
#pragma GCC unroll 8
                for (int k = 0; k < N; k++) {
                    const int at = k * REGISTER_BYTES;
                    add(k, (U16)((load<U8>(a + at) + load<U8>(b + at)) +
                                 (load<U8>(c + at) + load<U8>(d + at))));
                }
            }
        if (together_ >= 2)
            for (; i + 2 <= n; i += 2) {
                const uint8_t *a = rows + who[i] * LENGTH, *b = rows + who[i + 1] * LENGTH;
#pragma GCC unroll 8
                for (int k = 0; k < N; k++) {
                    const int at = k * REGISTER_BYTES;
                    add(k, (U16)(load<U8>(a + at) + load<U8>(b + at)));
                }
            }
        for (; i < n; i++) {
            const uint8_t* a = rows + who[i] * LENGTH;
#pragma GCC unroll 8
            for (int k = 0; k < N; k++) add(k, load<U16>(a + k * REGISTER_BYTES));
        }
#pragma GCC unroll 8
        for (int k = 0; k < N; k++) low_sums[k] = low[k], high_sums[k] = high[k];
    }

    // Take the biases of all rows off again, and write half a register's columns.
    void spread(U16 sums, int rows, int32_t* to, int at, int room, bool onto) const {
        HalfU16 half[2];
        std::memcpy(half, &sums, sizeof sums);
        for (int h = 0; h < 2; h++, at += LANES) {
            if (at >= room) return;
            I current = (widened(half[h]) - bias_ * rows) << shift_;
            if (onto) current += load<I>(to + at);
            store(to + at, current);
        }
    }
};

// Weights as they are, times payloads; Weight is the narrowest type that holds them.
template <class Weight>
class PlainRows {
    static constexpr bool NARROW = sizeof(Weight) == 2;
    static constexpr int GROUPS = 8;
    static constexpr int COLUMNS = GROUPS * LANES;
    static constexpr int N = COLUMNS < 64 ? GROUPS : 64 / LANES;  // registers of sums

public:
    PlainRows(const Matrix& matrix, const Layout& from, const Layout& to)
        : row_(from.row), stride_(to.stride()), sources_(from.size()) {
        weight_.assign(to.padded() * sources_ + COLUMNS, 0);
        for (int j = 0; j < to.size(); j++) {
            const auto [row, column] = to.place(j);
            const size_t block = size_t(row) * stride_ / 64 + column / 64;
            for (int s = 0; s < sources_; s++) {
                const auto [from_row, from_column] = from.place(s);
                const size_t source = size_t(from_row) * row_ + from_column;
                const int at = NARROW ? column % 64 / LANES16 * LANES16 +
                                            place_to_interleave(column % LANES16)
                                      : column % 64;
                weight_[(block * sources_ + source) * 64 + at] =
                    static_cast<Weight>(matrix.weight[size_t(j) * sources_ + s]);
            }
        }
    }

    void deliver(const Spikes& from, int64_t sent, const Tile& tile, Currents& into) const {
        int32_t* to = into.zeroed();
        for (int r = 0; r < tile.rows; r++)
            for (int c = 0; c < tile.columns; c += 64, to += 64) {
                const size_t block = (size_t(tile.row + r) * stride_ + tile.column + c) / 64;
                const Weight* weight = weight_.data() + block * sources_ * 64;
                for (int part = 0; part < 64; part += COLUMNS) {
                    if (from.graded) add<true>(from, sent, weight + part, to + part);
                    else add<false>(from, sent, weight + part, to + part);
                }
            }
    }

private:
    int row_, stride_, sources_;
    Array<Weight> weight_;  // [words of the targets][sources][64], see `place_to_interleave`

    template <bool graded>
    void add(const Spikes& from, int64_t sent, const Weight* weight, int32_t* to) const {
        I sum[N];
        for (int k = 0; k < N; k++) sum[k] = load<I>(to + k * LANES);
        for (int r = 0; r < from.layout.rows; r++) {
            const uint16_t* who = from.list_at(r, sent);
            const int n = from.count_at(r, sent);
            const int32_t* payload = graded ? from.payload_at(r, sent) : nullptr;
            const Weight* of_row = weight + size_t(r) * row_ * 64;
            auto times = [&](int i) { return graded ? payload[who[i]] : 1; };
            auto row = [&](int i) { return of_row + size_t(who[i]) * 64; };
            int i = 0;
            if constexpr (NARROW) {
                for (; i + 2 <= n; i += 2) add_two(row(i), row(i + 1), times(i), times(i + 1), sum);
                if (i < n) add_two(row(i), row(i), times(i), 0, sum);
            } else {
                for (; i < n; i++)
#pragma GCC unroll 8
                    for (int k = 0; k < N; k++) sum[k] += load<I>(row(i) + k * LANES) * times(i);
            }
        }
        for (int k = 0; k < N; k++) store(to + k * LANES, sum[k]);
    }

    // Two messages at a time: their weights stand in turn, and an instruction adds both products.
    // A payload is 2^16 upper + lower, each of 16 bits; seldom there is an upper part.
    static void add_two(const Weight* a, const Weight* b, int32_t times_a, int32_t times_b,
                        I* sum) {
        auto lower = [](int32_t x) { return static_cast<int16_t>(x); };
        auto upper = [&](int32_t x) { return static_cast<int16_t>((x - lower(x)) >> 16); };
        auto in_turn = [](int16_t x, int16_t y) {
            return (S16)all(static_cast<uint16_t>(x) | static_cast<int32_t>(y) * 65536);
        };
        const S16 low = in_turn(lower(times_a), lower(times_b));
        const S16 high = in_turn(upper(times_a), upper(times_b));
        const bool wide = upper(times_a) || upper(times_b);
#pragma GCC unroll 4
        for (int k = 0; k < N; k += 2) {
            const auto both = interleaved(load<S16>(a + k * LANES), load<S16>(b + k * LANES));
            sum[k] += sums_of_products(both.low, low);
            sum[k + 1] += sums_of_products(both.high, low);
            if (!wide) continue;
            sum[k] += sums_of_products(both.low, high) << 16;
            sum[k + 1] += sums_of_products(both.high, high) << 16;
        }
    }
};

inline bool fits_16_bits(const std::vector<int32_t>& weight) {
    return std::all_of(weight.begin(), weight.end(),
                       [](int32_t w) { return w == static_cast<int16_t>(w); });
}

struct Dense final : Delivery {
    std::shared_ptr<const Matrix> matrix;
    Layout from, to;
    std::unique_ptr<PackedRows> packed;
    std::unique_ptr<PlainRows<int16_t>> narrow;
    std::unique_ptr<PlainRows<int32_t>> wide;

    Dense(std::shared_ptr<const Matrix> m, const Layout& f, const Layout& t)
        : matrix(std::move(m)), from(f), to(t) {}

    size_t column_bytes() const override { return from.size(); }

    void prepare(bool graded) override {
        if (!graded && (packed || PackedRows::suits(*matrix))) {
            if (!packed) packed = std::make_unique<PackedRows>(*matrix, from, to);
        } else if (!narrow && !wide) {
            if (fits_16_bits(matrix->weight))
                narrow = std::make_unique<PlainRows<int16_t>>(*matrix, from, to);
            else wide = std::make_unique<PlainRows<int32_t>>(*matrix, from, to);
        }
    }

    void deliver(const Spikes& spikes, int64_t t, const Tile& tile, Currents& into) const override {
        if (!spikes.graded && packed) packed->deliver(spikes, t - lag, tile, into);
        else if (narrow) narrow->deliver(spikes, t - lag, tile, into);
        else wide->deliver(spikes, t - lag, tile, into);
    }
};

}  // namespace nd::ND_ISA
