// What a projection is to the loop over steps: it adds currents to a tile of neurons.
#pragma once
#include "../spikes.hpp"

namespace nd::ND_ISA {

// Neurons that run together: whole rows, or a part of one row.
struct Tile {
    int row, rows;
    int column, columns;  // padded to whole words; all of them where there are several rows

    size_t size() const { return size_t(rows) * columns; }
};

// Currents of a tile in one step, [rows][columns].
struct Currents {
    int32_t* at;
    size_t size;
    bool empty = true;  // nothing was written yet, not even zeros

    // For those who add here and there.
    int32_t* zeroed() {
        if (empty) std::memset(at, 0, 4 * size);
        empty = false;
        return at;
    }
};

struct Learned;  // see learning.hpp

struct Delivery {
    int source = 0, port = 0;
    int lag = 1;  // steps from message to current, the shortest where there are several
    int hop = 1;  // of them, those that a gated stream leaves out
    bool wraps = false;

    virtual ~Delivery() = default;
    // Steps from message to current, at most.
    virtual int longest_lag() const { return lag; }
    // Whether all of a population must be one tile, because targets are found message by message.
    virtual bool needs_all() const { return false; }
    // Bytes of weights for one neuron of the target, where a tile's are read in every step.
    virtual size_t column_bytes() const { return 0; }
    // Whether it needs lists of rows in which many sent, too.
    virtual bool needs_all_lists() const { return true; }
    // Make ready what depends on whether messages have payloads; called before any `deliver`.
    virtual void prepare(bool graded) { (void)graded; }
    // Itself, if its weights change while it runs: `Learner` then delivers in its place.
    virtual const Learned* learned() const { return nullptr; }
    // Add what arrives at the tile from messages sent `lag` steps before step t (>= lag).
    virtual void deliver(const Spikes& from, int64_t t, const Tile& tile, Currents& into) const = 0;
};

}  // namespace nd::ND_ISA
