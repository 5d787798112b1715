// The one loop over neurons; a model says what happens in a step, this does the rest.
//
// A model is a struct of
//   Input       I, or Complex for two currents;
//   State       registers, zero at first and after a reset; recorded as u and v are its first two;
//   Parameters  registers, one number for each neuron or one for all;
//   Options     int32 for all neurons together;
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
};

struct NeuronModel {
    std::string_view kind, parameters, options;
    int states, ports;
    bool resets;
    void (*step)(const RowStep&);
};

template <class T>
constexpr int registers_of() {
    if constexpr (std::is_empty_v<T>) return 0;
    else return sizeof(T) / sizeof(I);
}

template <class Model>
void step_row(const RowStep& row) {
    using State = typename Model::State;
    using Parameters = typename Model::Parameters;
    using Options = typename Model::Options;
    constexpr int STATES = registers_of<State>(), PARAMETERS = registers_of<Parameters>();
    constexpr int PORTS = registers_of<typename Model::Input>(), BLOCK = 64 / LANES;
    Options options;
    if constexpr (!std::is_empty_v<Options>) std::memcpy(&options, row.options, sizeof options);
    for (int word = 0; 64 * word < row.neurons; word++) {
        State states[BLOCK];
        I payloads[BLOCK];
        uint64_t bits;
        auto step_block = [&](auto& range) {
            bits = 0;
            for (int k = 0; k < BLOCK; k++) {
                const int at = word * 64 + k * LANES;
                if constexpr (STATES > 0) {
                    auto* state = reinterpret_cast<I*>(&states[k]);
                    for (int i = 0; i < STATES; i++)
                        state[i] = load<I>(row.state + i * row.state_stride + at);
                }
                Parameters parameters;
                if constexpr (PARAMETERS > 0) {
                    auto* parameter = reinterpret_cast<I*>(&parameters);
                    for (int i = 0; i < PARAMETERS; i++)
                        parameter[i] = load<I>(row.parameters[i] + (at & row.varies[i]));
                }
                typename Model::Input input;
                auto* port = reinterpret_cast<I*>(&input);
                for (int i = 0; i < PORTS; i++) port[i] = load<I>(row.current[i] + at);
                range.look_at(counting(at) < row.neurons);
                Sent sent = Model::step(states[k], input, parameters, options, range);
                if (row.payload) sent.fires &= sent.payload != 0;
                payloads[k] = sent.payload;
                bits |= bits_of(sent.fires) << (k * LANES);
            }
        };
        Watched watched;
        step_block(watched);
        if (__builtin_expect(watched.left(), 0)) {
            Exact exact;
            step_block(exact);
            row.overflows[0] += sum_of(exact.u);
            row.overflows[1] += sum_of(exact.v);
            row.overflows[2] += sum_of(exact.input);
        }
        for (int k = 0; k < BLOCK; k++) {
            const int at = word * 64 + k * LANES;
            if constexpr (STATES > 0) {
                const auto* state = reinterpret_cast<const I*>(&states[k]);
                for (int i = 0; i < STATES; i++)
                    store(row.state + i * row.state_stride + at, state[i]);
            }
            if (row.payload) store(row.payload + at, payloads[k]);
        }
        const int rest = row.neurons - 64 * word;
        row.sent[word] = rest < 64 ? bits & ((uint64_t(1) << rest) - 1) : bits;
    }
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

// Names a model's kind, and its parameters and options in the order of its fields; neurons.hpp
// lists it. Constants only: code that runs while the library is loaded would be of an instruction
// set that the machine may not have.
#define NEURON_MODEL(kind, Model, parameters, options)                                     \
    static_assert(words_in(parameters) == registers_of<Model::Parameters>() &&             \
                  words_in(parameters) <= MOST_PARAMETERS);                                \
    static_assert(words_in(options) ==                                                     \
                  (std::is_empty_v<Model::Options> ? 0 : int(sizeof(Model::Options) / 4))); \
    inline constexpr NeuronModel MODEL_##Model{kind, parameters, options,                  \
                                               registers_of<Model::State>(),               \
                                               registers_of<Model::Input>(),               \
                                               resets_of<Model>(), step_row<Model>}

}  // namespace nd::ND_ISA
