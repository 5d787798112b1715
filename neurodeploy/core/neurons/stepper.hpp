// The one loop over neurons; a model says what happens in a step, this does the rest.
//
// A model is a struct of
//   Input       I, or Complex for two currents;
//   State       registers, zero at first and after a reset;
//   Parameters  registers, one number for each neuron or one for all;
//   Options     int32 for all neurons together;
//   FORGOTTEN   how many of the states, from the first on, each step makes anew; 0 if left out;
//   step        the equations, with a Range that counts what leaves 24 bits (fixed.hpp).
#pragma once
#include "../fixed.hpp"
#include <string_view>
#include <type_traits>

namespace nd::ND_ISA {

// One row of neurons in one step. Rows are filled up to whole words of 64.
struct RowStep {
    int neurons;
    const int32_t* current[2];
    int32_t* state;  // [states][state_stride]
    size_t state_stride;
    const int32_t* const* parameters;
    const int32_t* varies;  // of each parameter: -1 where neurons have their own, 0 where not
    const int32_t* options;
    uint64_t* sent;    // one bit for each neuron
    int32_t* payload;  // or null, where messages carry none
    int64_t* overflows;  // u, v, input
    bool records = false;  // somebody looks at the states after the step
};

struct NeuronModel {
    std::string_view kind, state_names, parameters, options;
    int states, ports;
    bool resets;
    void (*step)(const RowStep&);  // null where the host steps, see HostStep
};

const NeuronModel* find_model(std::string_view kind);  // null where there is none; neurons.cpp

template <class T>
constexpr int registers_of() {
    if constexpr (std::is_empty_v<T>) return 0;
    else return sizeof(T) / sizeof(I);
}

// Some neurons after a step: few enough that all of it stays in registers.
template <class Model>
struct Block {
    static constexpr int REGISTERS = 4;
    static constexpr int NEURONS = REGISTERS * LANES;
    typename Model::State states[REGISTERS];
    uint64_t fires = 0;
};

// Parameters of which some neurons have their own: where those of a block stand. Addresses are
// copied, so that no store of a state could change them, as far as a compiler knows.
template <class T>
struct Own {
    static constexpr int N = registers_of<T>();
    const int32_t* from[N + 1];
    int64_t varies[N + 1];

    explicit Own(const RowStep& row) {
        for (int i = 0; i < N; i++) from[i] = row.parameters[i], varies[i] = row.varies[i];
    }
    // Of register k of the block.
    T operator()(int64_t k) const {
        T loaded;
        I registers[N + 1];
        for (int i = 0; i < N; i++) registers[i] = load<I>(from[i] + k * LANES);
        std::memcpy(&loaded, registers, N * sizeof(I));
        return loaded;
    }
    void move_on(int64_t neurons) {
        for (int i = 0; i < N; i++) from[i] += neurons & varies[i];
    }
};

// The same for all neurons, and so in registers.
template <class T>
struct Same {
    T all;
    T operator()(int64_t) const { return all; }
    void move_on(int64_t) {}
};

// States, the first ones, that a model makes anew in every step: stored only for who looks at them.
template <class Model>
constexpr int forgotten_of() {
    if constexpr (requires { Model::FORGOTTEN; }) return Model::FORGOTTEN;
    else return 0;
}

// Indices have 64 bits: where overflow wraps, 32 bits would be extended again for each address.
template <class Model, class Range, class Parameters>
__attribute__((always_inline)) inline void step_block(const RowStep& row, int64_t first,
                                                      const typename Model::Options& options,
                                                      const Parameters& parameters, Range& range,
                                                      Block<Model>& block) {
    constexpr int STATES = registers_of<typename Model::State>();
    uint64_t fires = 0;
#pragma GCC unroll 4
    for (int64_t k = 0; k < Block<Model>::REGISTERS; k++) {
        const int64_t at = first + k * LANES;
        typename Model::State state;
        auto* registers = reinterpret_cast<I*>(&state);
        for (int i = 0; i < STATES; i++)
            registers[i] = load<I>(row.state + i * row.state_stride + at);
        typename Model::Input input;
        auto* ports = reinterpret_cast<I*>(&input);
        for (int i = 0; i < registers_of<typename Model::Input>(); i++)
            ports[i] = load<I>(row.current[i] + at);
        range.look_at(counting(static_cast<int32_t>(at)) < row.neurons);
        Sent sent = Model::step(state, input, parameters(k), options, range);
        if (row.payload) {
            sent.fires &= sent.payload != 0;
            store(row.payload + at, sent.payload);
        }
        if (row.records)
            for (int i = 0; i < forgotten_of<Model>(); i++)
                store(row.state + i * row.state_stride + at, registers[i]);
        block.states[k] = state;
        fires |= bits_of(sent.fires) << (k * LANES);
    }
    block.fires = fires;
}

// Seldom: by itself, so that it does not crowd the registers of what is usual.
template <class Model, class Parameters>
__attribute__((noinline, cold)) Block<Model> step_exactly(RowStep row, int64_t first,
                                                          typename Model::Options options,
                                                          Parameters parameters) {
    Exact exact;
    Block<Model> block;
    step_block<Model>(row, first, options, parameters, exact, block);
    row.overflows[0] += sum_of(exact.u);
    row.overflows[1] += sum_of(exact.v);
    row.overflows[2] += sum_of(exact.input);
    return block;
}

template <class Model, class Parameters>
void step_blocks(const RowStep& given, Parameters parameters) {
    constexpr int STATES = registers_of<typename Model::State>();
    constexpr int NEURONS = Block<Model>::NEURONS;
    const RowStep row = given;  // of our own, so that no store can change it
    typename Model::Options options;
    if constexpr (!std::is_empty_v<typename Model::Options>)
        std::memcpy(&options, row.options, sizeof options);
    for (int64_t word = 0; word < row.neurons; word += 64) {
        uint64_t fires = 0;
        for (int64_t first = word; first < word + 64; first += NEURONS) {
            Block<Model> block;
            Watched watched;
            step_block<Model>(row, first, options, parameters, watched, block);
            if (__builtin_expect(watched.left(), 0))
                block = step_exactly<Model>(row, first, options, parameters);
            parameters.move_on(NEURONS);
#pragma GCC unroll 4
            for (int64_t k = 0; k < Block<Model>::REGISTERS; k++) {
                const auto* registers = reinterpret_cast<const I*>(&block.states[k]);
                for (int i = forgotten_of<Model>(); i < STATES; i++)
                    store(row.state + i * row.state_stride + first + k * LANES, registers[i]);
            }
            fires |= block.fires << (first - word);
        }
        const int64_t rest = row.neurons - word;
        row.sent[word / 64] = rest < 64 ? fires & ((uint64_t(1) << rest) - 1) : fires;
    }
}

// Once for parameters that are the same for all neurons, which then stay in registers.
template <class Model>
void step_row(const RowStep& row) {
    using Parameters = typename Model::Parameters;
    bool vary = false;
    for (int i = 0; i < registers_of<Parameters>(); i++) vary |= row.varies[i] != 0;
    const Own<Parameters> own(row);
    if (vary) step_blocks<Model>(row, own);
    else step_blocks<Model>(row, Same<Parameters>{own(0)});
}

constexpr int MOST_PARAMETERS = 16;

constexpr int words_in(std::string_view text) {
    int words = text.empty() ? 0 : 1;
    for (char c : text) words += c == ' ';
    return words;
}

// Whether a reset returns the states to zero; a model of changes (sigma-delta) has none.
template <class Model>
constexpr bool resets_of() {
    if constexpr (requires { Model::RESETS; }) return Model::RESETS;
    else return true;
}

// Names a model's kind, and its states (as network.Neuron.states has them), parameters and options
// in the order of its fields; neurons.hpp lists it. Constants only: code that runs while the library is loaded would be of an instruction
// set that the machine may not have.
#define NEURON_MODEL(kind, Model, states, parameters, options)                             \
    static_assert(words_in(states) == registers_of<Model::State>());                       \
    static_assert(words_in(parameters) == registers_of<Model::Parameters>() &&             \
                  words_in(parameters) <= MOST_PARAMETERS);                                \
    static_assert(words_in(options) ==                                                     \
                  (std::is_empty_v<Model::Options> ? 0 : int(sizeof(Model::Options) / 4))); \
    inline constexpr NeuronModel MODEL_##Model{kind, states, parameters, options,          \
                                               registers_of<Model::State>(),               \
                                               registers_of<Model::Input>(),               \
                                               resets_of<Model>(), step_row<Model>}

}  // namespace nd::ND_ISA
