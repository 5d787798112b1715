// What is simulated: a network as it was described, the same for every instruction set.
//
// Everything that enters or leaves is flat in (C, H, W) order. Inside, an image is laid out in
// rows of [width][channels], so that what a convolution's window sees stands side by side and
// one message adds a contiguous run of channels; what is not an image is cut into long rows.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace nd {

// Memory on boundaries of 64 bytes, for vectors; not set to zero where it grows.
template <class T>
struct Aligned {
    using value_type = T;
    Aligned() = default;
    template <class U>
    Aligned(const Aligned<U>&) {}
    T* allocate(size_t n) {
        return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(64)));
    }
    void deallocate(T* p, size_t) { ::operator delete(p, std::align_val_t(64)); }
    template <class U>
    void construct(U* p) {
        ::new (static_cast<void*>(p)) U;
    }
    template <class U, class... A>
    void construct(U* p, A&&... a) {
        ::new (static_cast<void*>(p)) U(std::forward<A>(a)...);
    }
    bool operator==(const Aligned&) const { return true; }
};
template <class T>
using Array = std::vector<T, Aligned<T>>;

// What the core cannot run; the text says why.
struct Unsupported : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Positions in a row are kept in 16 bits.
constexpr int LONGEST_ROW = 1 << 15;

struct Layout {
    int channels = 1, height = 1, width = 1;  // (neurons, 1, 1) where it is no image
    bool image = false;                       // a row is a row of the image (1 x 1 pixels too)
    int row = 0, rows = 0, words = 0;         // neurons and 64-bit words of a row; rows

    static Layout of(int channels, int height, int width) {
        Layout a{channels, height, width};
        const int64_t size = int64_t(channels) * height * width;
        a.image = int64_t(width) * channels <= LONGEST_ROW;
        a.row = a.image ? width * channels : int(size < LONGEST_ROW ? size : LONGEST_ROW);
        a.rows = a.image ? height : int((size + a.row - 1) / a.row);
        a.words = (a.row + 63) / 64;
        return a;
    }
    int size() const { return channels * height * width; }
    int stride() const { return words * 64; }
    size_t padded() const { return size_t(rows) * stride(); }
    int neurons_in(int r) const {
        const int rest = size() - r * row;
        return image || rest > row ? row : rest;
    }
    // (C, H, W) index of a column in row 0, and by how much it grows from row to row.
    int flat(int column) const {
        if (!image) return column;
        return column % channels * height * width + column / channels;
    }
    int step_of_row() const { return image ? width : row; }
    // Row and column of the neuron with a (C, H, W) index.
    std::pair<int, int> place(int index) const {
        if (!image) return {index / row, index % row};
        const int x = index % width, y = index / width % height, c = index / width / height;
        return {y, x * channels + c};
    }
};

struct Matrix {
    std::vector<int32_t> weight;  // [targets][sources]
};

// Convolution: also transposed, depthwise, a pool or an unpool.
struct Kernel {
    std::vector<int32_t> weight;  // [out channels][in channels / groups][height][width]
    int out, in_group, height, width, groups;
    int stride[2], padding[2], dilation[2];
    bool transposed;
};

struct Synapse {
    int32_t source, target, delay, weight;
};
using List = std::vector<Synapse>;

// How the synapses of a projection learn; see network.LearningRule and learning.hpp.
struct LearningRule {
    enum { X1, X2, Y1, Y2, Y3, W, D, T, X0, Y0 };             // variables of factors
    enum { ON_X0, ON_Y0, ON_EPOCH };                          // dependencies
    enum { IMPULSE, OVERWRITE, ADD_SATURATING, ADD_OVERFLOW };  // what a payload does to x1
    enum { MIXED, EXCITATORY, INHIBITORY };

    struct Factor {
        int32_t variable, constant, bits;
        bool sign_only;
    };
    struct Product {
        int32_t dependency, mantissa, exponent, shift;  // the sum's unit is 2^-exponent of w's
        std::vector<Factor> factors;
    };
    struct Equation {
        int32_t changes;  // 0, 1, 2: w, d, t
        std::vector<Product> products;
    };

    int number = 0;  // among the projections that learn
    int32_t epoch = 1, payload = IMPULSE, sign = MIXED, three_factors = 0, decimation = -1;
    int32_t impulse[5] = {}, impulse_fraction[5] = {};  // of x1, x2, y1, y2, y3
    double keep[5] = {};             // of a trace from step to step; 0 where it has no time constant
    uint64_t generators[5 * 4] = {};  // states and increments of PCG64, upper halves first
    bool depends_on[3] = {};
    std::vector<Equation> equations;
    std::vector<int32_t> weight;  // [targets][sources]
    std::vector<uint8_t> exists;  // of each weight whether it is a synapse; empty where all are
};

struct Projection {
    int source, lag, delay, port;  // arrives lag + delay steps later
    bool wraps;  // the sum of this projection wraps to 24 bits, and may reach that
    std::shared_ptr<const Matrix> matrix;  // one of the four
    std::shared_ptr<const Kernel> kernel;
    std::shared_ptr<const List> list;
    std::shared_ptr<const LearningRule> rule;
};

// Steps a population in Python, for which the core has no equations: currents [ports][neurons]
// in, states [states][neurons] in and out, what is sent [neurons] out, 0 for nothing; all in
// (C, H, W) order. Gives 0, or the number of a failure.
using HostStep = int32_t (*)(const int32_t* current, int32_t* states, int32_t* sent);

// What the host has noted of a failure under this number is what its caller should see.
struct HostFailure : std::runtime_error {
    explicit HostFailure(int32_t number) : std::runtime_error(std::to_string(number)) {}
};

struct Population {
    Layout layout;
    std::string kind;
    HostStep host_step = nullptr;  // in place of a model of the core, with these traits
    int host_states = 0, host_ports = 1;
    bool host_resets = true;
    std::vector<std::vector<int32_t>> parameters;  // one number or one for each neuron
    std::vector<int32_t> options;
    std::vector<int32_t> axon_delay;  // empty, or one for each neuron
    std::vector<int32_t> first_v;     // v of each neuron before its first step; empty: 0
    bool graded = false;
    int starts = 0;
    int cycle = -1;  // populations of one cycle share a number and stand together
    std::vector<Projection> into;

    int longest_delay() const {
        int longest = 0;
        for (int32_t delay : axon_delay) longest = delay > longest ? delay : longest;
        return longest;
    }
};

struct Network {
    std::vector<Population> populations;  // in the order in which they run
};

// Messages that were recorded, of one population.
struct Given {
    const int32_t* step_counts = nullptr;  // [samples][steps]
    const int32_t* neuron = nullptr;       // flat, sample after sample and step after step
    const int32_t* payload = nullptr;      // or null, where all are 1
};

struct Run {
    int64_t samples, steps;
    int threads;
    int64_t window;  // steps that a population runs at a time, at most

    // What is presented to population `input`, [samples][steps given, or 1 where `held`][C][H][W];
    // or null.
    int input;
    const void* values;
    int item;  // bytes of a value: 1 (unsigned) or 4 (signed)
    int64_t given_steps;
    bool held;    // the same in every step
    bool binary;  // nothing but 0 and 1
    int count_item;  // bytes of a neuron's count: 1 or 2 (unsigned) or 8

    static bool holds(int count_item, int64_t steps) {
        return count_item == 8 || ((count_item == 1 || count_item == 2) && steps >> 8 * count_item == 0);
    }

    // Of each population, or null.
    std::vector<Given> given;              // its messages, in place of its neurons
    std::vector<const uint8_t*> resets;    // [steps]: whether states return to zero before it
    std::vector<int32_t*> step_counts;     // [samples][steps]
    std::vector<char*> counts;             // [samples][neurons]: messages of each, added
    std::vector<int64_t*> overflows;       // [u, v, input][samples], added
    // [samples][steps][neurons] of each state of the neurons, or null.
    struct States {
        int32_t* const* at;
        int count;
    };
    std::vector<States> states;
    std::vector<uint8_t*> fired;           // [samples][steps][neurons], before the axon's delay

    // Of each projection that learns, by its number, or null: synaptic variables w, d, t after each
    // sample, [samples][targets][sources], and these and its traces after each epoch, [samples]
    // [epochs][...].
    struct Learned {
        int16_t* after[3];
        int16_t* epochs[3];
        int16_t *x, *y;
        int64_t* updates;   // [samples]: synapses for which some product of the rule counted
        uint64_t* carried;  // from sample to sample, which then run one after the other
    };
    std::vector<Learned> learned;

    // Messages of each population that is asked for, for each sample.
    struct Messages {
        std::vector<int32_t> neuron, payload;
    };
    std::vector<uint8_t> wanted;
    std::vector<std::vector<Messages>> messages;  // [populations][samples]
    std::vector<uint8_t> has_payloads;
    std::vector<std::vector<int64_t>> given_starts;  // [populations given][samples + 1]
};

// A network packed for one instruction set.
struct Packed {
    virtual ~Packed() = default;
    virtual void run(Run&) = 0;
};

// A network that runs one step at a time, for ever.
struct Stream {
    virtual ~Stream() = default;
    virtual void begin() = 0;
    // Synapses that a message of each neuron reaches, int64 [C][H][W]: from now on, steps add up
    // what the population's messages reach.
    virtual void count(int population, const int64_t* fan_out) = 0;
    // Values int32 [C][H][W] in; what population `output` sends, int32 [neurons], out; messages
    // of each population out, and the synapses that they reach, of populations that are counted.
    virtual void step(const int32_t* values, int32_t* out, int32_t* messages,
                      int64_t* synops) = 0;
    // Synaptic variables w, d, t of a projection that learns, as they are after the last step.
    virtual void learned(int number, int16_t* const* to) = 0;
};

struct Floats;  // kernels of float networks, see floating.hpp

// What one instruction set's unit offers.
struct Unit {
    const char* name;
    std::unique_ptr<Packed> (*pack)(const Network&);
    std::unique_ptr<Stream> (*stream)(Packed&, int input, int output, bool gated);
    // "parameters;options;states" of a model, or null where there is none.
    const char* (*describe)(const char* kind);
    const Floats* floats;
};

const Unit& unit_of(const char* name);  // "" for the best that this machine has
std::vector<std::string> units();       // that this machine can run, lowest first
}  // namespace nd
