// Kernels of float networks, compiled once for each instruction set as run.cpp is.
#include "floating.hpp"
#include "lanes.hpp"
#include <algorithm>
#include <cmath>
#include <vector>

namespace nd::ND_ISA {
namespace {

using F = float ND_VECTOR(REGISTER_BYTES);

// Not 0 + value, which makes +0 of -0.
inline F spread(float value) { return value - F{}; }

inline const float* row_in(const Rows& rows, int64_t row) {
    return rows.in + row / rows.steps * rows.in_stride + row % rows.steps * rows.sources;
}
inline float* row_out(const Rows& rows, int64_t row) {
    return rows.out + row / rows.steps * rows.out_stride + row % rows.steps * rows.targets;
}

// ---- dense: registers hold targets, so that messages of 0 can be passed over ----

constexpr int REGISTERS = PANEL / LANES;       // of a panel
constexpr int TOGETHER = 12 / REGISTERS;       // rows whose sums fit into registers
constexpr int PANELS_TOGETHER = 8 / REGISTERS;  // of one row
constexpr int64_t ROWS_AT_ONCE = 48;           // pass over a panel while it is in the cache
constexpr double FEW = 0.25;                   // messages, from which on all are multiplied

inline void add_sums(float* out, const F* sums, int64_t targets) {
    if (targets >= PANEL) {
        for (int r = 0; r < REGISTERS; r++)
            store(out + r * LANES, load<F>(out + r * LANES) + sums[r]);
        return;
    }
    float single[PANEL];
    std::memcpy(single, sums, sizeof single);
    for (int64_t i = 0; i < targets; i++) out[i] += single[i];
}

template <int ROWS>
void multiply_all(const Rows& rows, int64_t row, const float* panel, int64_t target) {
    const float* in[ROWS];
    for (int i = 0; i < ROWS; i++) in[i] = row_in(rows, row + i);
    F sums[ROWS][REGISTERS] = {};
    for (int64_t k = 0; k < rows.sources; k++) {
        F weight[REGISTERS];
        for (int r = 0; r < REGISTERS; r++) weight[r] = load<F>(panel + k * PANEL + r * LANES);
        for (int i = 0; i < ROWS; i++) {
            const F message = spread(in[i][k]);
            for (int r = 0; r < REGISTERS; r++) sums[i][r] += message * weight[r];
        }
    }
    for (int i = 0; i < ROWS; i++)
        add_sums(row_out(rows, row + i) + target, sums[i], rows.targets - target);
}

struct Message {
    int32_t source;
    float value;
};

template <int PANELS>
void multiply_few(const Rows& rows, int64_t row, const Message* messages, int64_t count,
                  const float* panels, int64_t target) {
    F sums[PANELS][REGISTERS] = {};
    for (int64_t k = 0; k < count; k++) {
        const F message = spread(messages[k].value);
        for (int p = 0; p < PANELS; p++) {
            const float* weight = panels + (p * rows.sources + messages[k].source) * PANEL;
            for (int r = 0; r < REGISTERS; r++)
                sums[p][r] += message * load<F>(weight + r * LANES);
        }
    }
    for (int p = 0; p < PANELS; p++) {
        const int64_t first = target + p * PANEL;
        add_sums(row_out(rows, row) + first, sums[p], rows.targets - first);
    }
}

void dense(const Rows& rows, const float* panels) {
    const int64_t all_rows = rows.samples * rows.steps, size = rows.sources * PANEL;
    const int64_t count = (rows.targets + PANEL - 1) / PANEL;
    std::vector<Message> messages(std::min(all_rows, ROWS_AT_ONCE) * rows.sources);
    for (int64_t first = 0; first < all_rows; first += ROWS_AT_ONCE) {
        const int64_t n = std::min(ROWS_AT_ONCE, all_rows - first);
        int64_t start[ROWS_AT_ONCE + 1] = {};
        for (int64_t i = 0; i < n; i++) {
            const float* in = row_in(rows, first + i);
            int64_t found = start[i];
            for (int64_t k = 0; k < rows.sources; k++) {
                messages[found] = {static_cast<int32_t>(k), in[k]};
                found += in[k] != 0;
            }
            start[i + 1] = found;
        }
        if (start[n] > FEW * n * rows.sources) {
            for (int64_t p = 0; p < count; p++) {
                int64_t i = 0;
                for (; i + TOGETHER <= n; i += TOGETHER)
                    multiply_all<TOGETHER>(rows, first + i, panels + p * size, p * PANEL);
                for (; i < n; i++) multiply_all<1>(rows, first + i, panels + p * size, p * PANEL);
            }
            continue;
        }
        auto few = [&]<int PANELS>(int64_t p) {
            for (int64_t i = 0; i < n; i++)
                multiply_few<PANELS>(rows, first + i, messages.data() + start[i],
                                     start[i + 1] - start[i], panels + p * size, p * PANEL);
        };
        int64_t p = 0;
        for (; p + PANELS_TOGETHER <= count; p += PANELS_TOGETHER)
            few.template operator()<PANELS_TOGETHER>(p);
        for (; p < count; p++) few.template operator()<1>(p);
    }
}

// ---- windows and lists: registers hold rows, so that any layout of synapses will do ----

constexpr int64_t CHUNK = 16;  // sources or targets that are turned at a time

// Rows that are taken together, and the messages of some of their sources as columns
// [cells][R registers]; cells without a source are 0.
template <int R>
struct Block {
    static constexpr int64_t WIDTH = R * LANES;
    int64_t count;
    const float* in[WIDTH];
    float* out[WIDTH];
    float* cells;

    void turn_in(int64_t source, int64_t sources, const int32_t* place) {
        for (int64_t s = 0; s < sources; s += CHUNK) {
            const int64_t end = std::min(s + CHUNK, sources);
            for (int64_t i = 0; i < count; i++) {
                // As many streams as rows: more than a processor foresees by itself.
                __builtin_prefetch(in[i] + source + s + 2 * CHUNK);
                for (int64_t k = s; k < end; k++)
                    cells[(place ? place[k] : k) * WIDTH + i] = in[i][source + k];
            }
        }
    }
    // `sums` [targets][R registers].
    void add(int64_t target, int64_t targets, const float* sums) {
        for (int64_t i = 0; i < count; i++) {
            __builtin_prefetch(out[i] + target + 2 * CHUNK, 1);
            for (int64_t k = 0; k < targets; k++) out[i][target + k] += sums[k * WIDTH + i];
        }
    }
};

// Sums of `Q` targets, R registers of rows each, that have their sources in common.
template <int R, int Q>
void add_up(const float* cells, const int32_t* cell, const float* weight, int64_t n, float* to,
            int64_t apart) {
    F sums[Q][R] = {};
    for (int64_t k = 0; k < n; k++) {
        const float* messages = cells + int64_t(cell[k]) * (R * LANES);
        F w[Q];
        for (int q = 0; q < Q; q++) w[q] = spread(weight[q * n + k]);
        for (int r = 0; r < R; r++) {
            const F message = load<F>(messages + r * LANES);
            for (int q = 0; q < Q; q++) sums[q][r] += message * w[q];
        }
    }
    for (int q = 0; q < Q; q++)
        for (int r = 0; r < R; r++) store(to + q * apart + r * LANES, sums[q][r]);
}

// Calls body(Block) with as many registers as rows can fill.
template <class Body>
void by_registers(const Rows& rows, int64_t cells, Body body) {
    const int64_t all_rows = rows.samples * rows.steps;
    int64_t first = 0;
    auto run = [&]<int R>(Block<R>&& block) {
        std::vector<float> memory(cells * block.WIDTH);
        block.cells = memory.data();
        for (; first < all_rows && (R == 1 || all_rows - first > LANES); first += block.WIDTH) {
            block.count = std::min(block.WIDTH, all_rows - first);
            for (int64_t i = 0; i < block.count; i++) {
                block.in[i] = row_in(rows, first + i);
                block.out[i] = row_out(rows, first + i);
            }
            body(block);
        }
    };
    if (all_rows > LANES) run(Block<4>{});
    if (first < all_rows) run(Block<1>{});
}

void windows(const Rows& rows, const Windows& w) {
    constexpr int Q = 2;
    const int64_t sources = rows.sources / w.groups;
    std::vector<float> sums(w.outs * CHUNK * 4 * LANES);
    by_registers(rows, w.cells, [&]<int R>(Block<R>& block) {
        constexpr int64_t WIDTH = Block<R>::WIDTH, APART = CHUNK * WIDTH;
        for (int64_t g = 0; g < w.groups; g++) {
            block.turn_in(g * sources, sources, w.place);
            const float* weights = w.weight + g * w.outs * w.taps;
            for (int64_t pixel = 0; pixel < w.pixels; pixel += CHUNK) {
                const int64_t n = std::min(CHUNK, w.pixels - pixel);
                for (int64_t k = 0; k < n; k++) {
                    const float* window = block.cells + w.first[pixel + k] * WIDTH;
                    auto sum = [&]<int N>(int64_t o) {
                        add_up<R, N>(window, w.tap, weights + o * w.taps, w.taps,
                                     sums.data() + o * APART + k * WIDTH, APART);
                    };
                    int64_t o = 0;
                    for (; o + Q <= w.outs; o += Q) sum.template operator()<Q>(o);
                    for (; o < w.outs; o++) sum.template operator()<1>(o);
                }
                for (int64_t o = 0; o < w.outs; o++)
                    block.add((g * w.outs + o) * w.pixels + pixel, n, sums.data() + o * APART);
            }
        }
    });
}

void listed(const Rows& rows, const int64_t* starts, const int32_t* source, const float* weight) {
    float sums[CHUNK * 4 * LANES];
    by_registers(rows, rows.sources, [&]<int R>(Block<R>& block) {
        block.turn_in(0, rows.sources, nullptr);
        for (int64_t target = 0; target < rows.targets; target += CHUNK) {
            const int64_t n = std::min(CHUNK, rows.targets - target);
            for (int64_t k = 0; k < n; k++) {
                const int64_t from = starts[target + k], synapses = starts[target + k + 1] - from;
                add_up<R, 1>(block.cells, source + from, weight + from, synapses,
                             sums + k * block.WIDTH, 0);
            }
            block.add(target, n, sums);
        }
    });
}

// ---- neurons ----

enum { TO_VALUE, BY_SUBTRACTION, NO_RESET };
enum { SAME, BEFORE, AFTER, AGAIN };
enum { SPIKES, VOLTAGES, COUNTS };

inline F some(const float* from, int64_t count) {
    F x{};
    if (count >= LANES) x = load<F>(from);
    else std::memcpy(&x, from, 4 * count);
    return x;
}

inline void put(float* to, F x, int64_t count) {
    if (count >= LANES) store(to, x);
    else std::memcpy(to, &x, 4 * count);
}

inline F rounded_down(F x) {
    for (int k = 0; k < LANES; k++) x[k] = std::floor(x[k]);
    return x;
}

void step(const FloatLIF& n) {
    const F zero{}, one = spread(1);
    for (int64_t s = 0; s < n.samples; s++)
        for (int64_t t = 0; t < n.steps; t++)
            for (int64_t j = 0; j < n.neurons; j += LANES) {
                const int64_t left = n.neurons - j, state = s * n.neurons + j;
                const int64_t now = t * n.neurons + j;
                const F threshold = some(n.threshold + j, left);
                auto reset = [&](F v, F count) -> F {
                    const F low = n.reset == TO_VALUE ? some(n.reset_value + j, left)
                                                      : v - count * threshold;
                    return count > zero ? low : v;
                };
                const F before = some(n.u + state, left);
                const F arrives = some(n.current + s * n.current_stride + now, left);
                const F u = some(n.current_keep + j, left) * before +
                            some(n.current_gain + j, left) *
                                (arrives + some(n.current_bias + j, left));
                put(n.u + state, u, left);
                F v = some(n.v + state, left);
                const F owed = some(n.owed + state, left);
                if (n.reset_time == BEFORE) v = reset(v, owed);
                v = some(n.voltage_keep + j, left) * v +
                    some(n.voltage_gain + j, left) * (n.sees_last_current ? before : u);
                v += some(n.voltage_bias + j, left);
                if (n.reset_time == AFTER) v = reset(v, owed);
                if (n.reset_time == AGAIN) v -= owed * threshold;
                const I fires = n.inclusive ? v >= threshold : v > threshold;
                F count = fires ? one : zero;
                if (n.sends == COUNTS) {
                    count = rounded_down(v / threshold);
                    count = count > zero ? count : zero;
                }
                put(n.sent + s * n.sent_stride + now, n.sends == VOLTAGES ? v : count, left);
                if (n.reset == NO_RESET) count = zero;
                if (n.reset_time == AGAIN) {
                    v -= (count - owed) * threshold;
                    count = v > threshold ? one : zero;
                } else if (n.reset_time == SAME) v = reset(v, count);
                put(n.owed + state, count, left);
                const F minimum = some(n.minimum + j, left);
                v = v < minimum ? minimum : v;
                put(n.v + state, v, left);
                const int64_t record = s * n.record_stride + now;
                if (n.u_record) put(n.u_record + record, u, left);
                if (n.v_record) put(n.v_record + record, v, left);
            }
}

}  // namespace

extern const Floats FLOATS;
const Floats FLOATS{dense, windows, listed, step};
}  // namespace nd::ND_ISA
