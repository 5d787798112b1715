// The C interface: what ctypes calls. Every call that can fail returns null or a negative number,
// and `nd_error` then says why.
#include "exported.hpp"
#include "network.hpp"
#include <algorithm>
#include <cstring>

using namespace nd;

namespace {
thread_local std::string error_text;
// 1: cannot be run, 2: no memory, 3: a fault of ours, 4: of the host's step, `nd_error` its number
thread_local int error_kind = 0;

template <class Body, class Result>
Result guarded(Result failed, Body body) {
    try {
        return body();
    } catch (const Unsupported& error) {
        error_kind = 1, error_text = error.what();
    } catch (const HostFailure& error) {
        error_kind = 4, error_text = error.what();
    } catch (const std::bad_alloc&) {
        error_kind = 2, error_text = "not enough memory";
    } catch (const std::exception& error) {
        error_kind = 3, error_text = error.what();
    }
    return failed;
}

std::vector<int32_t> copied(const int32_t* from, int64_t n) {
    return n && from ? std::vector<int32_t>(from, from + n) : std::vector<int32_t>();
}

void require(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(what);
}
}  // namespace

struct nd_network {
    const Unit* unit = nullptr;
    Network network;
    std::unique_ptr<Packed> packed;
    int populations = 0, learning = 0;
};

struct nd_population {
    int32_t channels, height, width;
    int32_t graded, starts, cycle;
    const char* kind;
    int32_t parameter_count, option_count;
    const int32_t* const* parameters;
    const int64_t* parameter_sizes;  // 1, or as many as neurons
    const int32_t* options;
    const int32_t* axon_delay;  // [neurons] or null
    const int32_t* first_v;     // [neurons] or null
    HostStep host_step;  // or null; it has these states and ports
    int32_t states, ports, resets, padding;
};

struct nd_projection {
    int32_t source, target;
    int32_t lag, delay;  // steps of every message, and those of this part in addition
    int32_t port, wraps;
};

struct nd_kernel {
    int32_t out, in_group, height, width, groups, transposed;
    int32_t stride[2], padding[2], dilation[2];
};

// Of one population; each pointer may be null. The first three are added to; where `nd_inputs` has
// `counted`, they are bytes from there on.
struct nd_results {
    int32_t* step_counts;
    void* counts;  // each of `count_item` bytes
    int64_t* overflows;
    int32_t* const* states;  // of each state [samples][steps][neurons], or null
    uint8_t* fired;
    const uint8_t* resets;
    const int32_t *given_counts, *given_neuron, *given_payload;
    int32_t wants_messages, state_count;
};

struct nd_inputs {
    const void* values;
    void* counted;  // or null
    int64_t samples, steps, given_steps, window;
    int32_t input, item, binary, threads, held, count_item;
};

// nd::LearningRule: `code` is [products of w's, d's, t's equation, each -1 where it has none] and, of
// each product, [dependency, mantissa, exponent, shift, factors] and of each factor [variable,
// constant, bits, sign only].
struct nd_rule {
    int32_t epoch, payload, sign, three_factors, decimation, padding;
    int32_t impulse[5], impulse_fraction[5];
    double keep[5];
    uint64_t generators[20];
    const int32_t* code;
    const uint8_t* exists;  // [targets][sources], or null where all synapses are there
};

struct nd_run_result {
    std::vector<std::vector<Run::Messages>> messages;
    std::vector<uint8_t> has_payloads;
};

struct nd_stream {
    std::unique_ptr<Stream> stream;
    int populations;
};

API const char* nd_error() { return error_text.c_str(); }
API int nd_error_kind() { return error_kind; }

// Names of the instruction sets that can be asked for here, lowest first, separated by commas.
API const char* nd_units() {
    static std::string text;
    return guarded(static_cast<const char*>(nullptr), [&]() -> const char* {
        text.clear();
        for (const std::string& name : units()) text += (text.empty() ? "" : ",") + name;
        return text.c_str();
    });
}

// "parameters;options;states" of a neuron model, each in order; null where there is no such model.
API const char* nd_describe_neuron(const char* kind) {
    return guarded(static_cast<const char*>(nullptr), [&] { return unit_of("").describe(kind); });
}

API nd_network* nd_network_new(const char* unit) {
    return guarded(static_cast<nd_network*>(nullptr), [&] {
        auto made = std::make_unique<nd_network>();
        made->unit = &unit_of(unit);
        return made.release();
    });
}

API void nd_network_free(nd_network* network) { delete network; }
API const char* nd_network_unit(const nd_network* network) { return network->unit->name; }

// Gives the population's number. Populations stand in the order in which they run.
API int nd_add_population(nd_network* to, const nd_population* from) {
    return guarded(-1, [&] {
        require(!to->packed, "the network is packed already");
        require(from->channels > 0 && from->height > 0 && from->width > 0, "a population is empty");
        require(int64_t(from->channels) * from->height * from->width < INT32_MAX / 2,
                "a population has more than 2^30 neurons");
        Population population;
        population.layout = Layout::of(from->channels, from->height, from->width);
        const int64_t size = population.layout.size();
        population.kind = from->kind;
        population.host_step = from->host_step, population.host_resets = from->resets;
        if (from->host_step) {
            require(from->states >= 0 && (from->ports == 1 || from->ports == 2),
                    "states or ports are out of range");
            population.host_states = from->states, population.host_ports = from->ports;
        }
        for (int k = 0; k < from->parameter_count; k++) {
            const int64_t given = from->parameter_sizes[k];
            require(given == 1 || given == size, "a parameter has another number of neurons");
            population.parameters.push_back(copied(from->parameters[k], given));
        }
        population.options = copied(from->options, from->option_count);
        population.axon_delay = copied(from->axon_delay, from->axon_delay ? size : 0);
        for (int32_t delay : population.axon_delay) require(delay >= 0, "a delay is negative");
        population.first_v = copied(from->first_v, from->first_v ? size : 0);
        population.graded = from->graded, population.starts = from->starts;
        population.cycle = from->cycle;
        to->network.populations.push_back(std::move(population));
        return static_cast<int>(to->network.populations.size()) - 1;
    });
}

namespace {
Projection projection_of(nd_network* to, const nd_projection& from) {
    const int n = static_cast<int>(to->network.populations.size());
    require(!to->packed, "the network is packed already");
    require(from.source >= 0 && from.source < n && from.target >= 0 && from.target < n,
            "a projection leads to no population");
    require(from.lag >= 0 && from.delay >= 0 && (from.port == 0 || from.port == 1), "a lag or port is out of range");
    Projection projection{};
    projection.source = from.source;
    projection.lag = from.lag, projection.delay = from.delay;
    projection.port = from.port, projection.wraps = from.wraps;
    return projection;
}

int add(nd_network* to, const nd_projection& from, Projection projection) {
    to->network.populations[from.target].into.push_back(std::move(projection));
    return 0;
}
}  // namespace

API int nd_add_dense(nd_network* to, const nd_projection* from, const int32_t* weight) {
    return guarded(-1, [&] {
        Projection projection = projection_of(to, *from);
        auto& populations = to->network.populations;
        const int64_t sources = populations[from->source].layout.size();
        const int64_t targets = populations[from->target].layout.size();
        projection.matrix = std::make_shared<Matrix>(Matrix{copied(weight, sources * targets)});
        return add(to, *from, std::move(projection));
    });
}

API int nd_add_conv(nd_network* to, const nd_projection* from, const nd_kernel* how,
                    const int32_t* weight) {
    return guarded(-1, [&] {
        Projection projection = projection_of(to, *from);
        auto& populations = to->network.populations;
        const Layout& source = populations[from->source].layout;
        const Layout& target = populations[from->target].layout;
        require(how->out > 0 && how->in_group > 0 && how->height > 0 && how->width > 0 &&
                    how->groups > 0 && how->out % how->groups == 0,
                "a kernel is empty");
        require(how->in_group * how->groups == source.channels && how->out == target.channels,
                "a kernel has other channels");
        for (int k = 0; k < 2; k++)
            require(how->stride[k] > 0 && how->dilation[k] > 0 && how->padding[k] >= 0,
                    "a stride, dilation or padding is out of range");
        auto kernel = std::make_shared<Kernel>();
        const int64_t taps = int64_t(how->in_group) * how->height * how->width;
        kernel->weight = copied(weight, how->out * taps);
        kernel->out = how->out, kernel->in_group = how->in_group;
        kernel->height = how->height, kernel->width = how->width;
        kernel->groups = how->groups, kernel->transposed = how->transposed;
        for (int k = 0; k < 2; k++) {
            kernel->stride[k] = how->stride[k];
            kernel->padding[k] = how->padding[k];
            kernel->dilation[k] = how->dilation[k];
        }
        projection.kernel = std::move(kernel);
        return add(to, *from, std::move(projection));
    });
}

API int nd_add_list(nd_network* to, const nd_projection* from, int64_t n, const int32_t* source,
                    const int32_t* target, const int32_t* delay, const int32_t* weight) {
    return guarded(-1, [&] {
        Projection projection = projection_of(to, *from);
        auto& populations = to->network.populations;
        const int sources = populations[from->source].layout.size();
        const int targets = populations[from->target].layout.size();
        auto list = std::make_shared<List>(n);
        for (int64_t k = 0; k < n; k++) {
            (*list)[k] = {source[k], target[k], delay ? delay[k] : 0, weight[k]};
            require(source[k] >= 0 && source[k] < sources && target[k] >= 0 && target[k] < targets,
                    "a synapse leads to no neuron");
            require((*list)[k].delay >= 0, "a delay is negative");
        }
        projection.list = std::move(list);
        return add(to, *from, std::move(projection));
    });
}

// A matrix that learns. Gives its number among those that do.
API int nd_add_learning(nd_network* to, const nd_projection* from, const int32_t* weight,
                        const nd_rule* how) {
    return guarded(-1, [&] {
        Projection projection = projection_of(to, *from);
        auto& populations = to->network.populations;
        const int64_t sources = populations[from->source].layout.size();
        const int64_t targets = populations[from->target].layout.size();
        auto rule = std::make_shared<LearningRule>();
        require(how->epoch > 0 && from->delay == 0 && from->lag > 0 && !from->wraps,
                "an epoch is empty, or synapses that learn have delays");
        rule->epoch = how->epoch, rule->payload = how->payload, rule->sign = how->sign;
        rule->three_factors = how->three_factors, rule->decimation = how->decimation;
        std::copy_n(how->impulse, 5, rule->impulse);
        std::copy_n(how->impulse_fraction, 5, rule->impulse_fraction);
        std::copy_n(how->keep, 5, rule->keep);
        std::copy_n(how->generators, 20, rule->generators);
        const int32_t* code = how->code;
        for (int32_t changes = 0; changes < 3; changes++) {
            const int32_t products = *code++;
            if (products < 0) continue;
            LearningRule::Equation equation{changes, {}};
            for (int32_t k = 0; k < products; k++) {
                LearningRule::Product product{code[0], code[1], code[2], code[3], {}};
                require(product.dependency >= 0 && product.dependency < 3, "a dependency is unknown");
                rule->depends_on[product.dependency] = true;
                const int32_t factors = code[4];
                code += 5;
                for (int32_t f = 0; f < factors; f++, code += 4) {
                    require(code[0] >= 0 && code[0] <= LearningRule::Y0, "a factor is unknown");
                    product.factors.push_back({code[0], code[1], code[2], code[3] != 0});
                }
                equation.products.push_back(std::move(product));
            }
            rule->equations.push_back(std::move(equation));
        }
        rule->weight = copied(weight, sources * targets);
        if (how->exists) rule->exists.assign(how->exists, how->exists + sources * targets);
        rule->number = to->learning++;
        projection.rule = std::move(rule);
        add(to, *from, std::move(projection));
        return to->learning - 1;
    });
}

// Lay the network out for its instruction set; nothing can be added after it.
API int nd_pack(nd_network* network) {
    return guarded(-1, [&] {
        require(!network->network.populations.empty(), "a network has no populations");
        network->packed = network->unit->pack(network->network);
        network->populations = static_cast<int>(network->network.populations.size());
        network->network = {};
        return 0;
    });
}

API nd_run_result* nd_run(nd_network* network, const nd_inputs* inputs, const nd_results* results,
                          int count, const Run::Learned* learned) {
    return guarded(static_cast<nd_run_result*>(nullptr), [&] {
        require(network->packed != nullptr, "the network is not packed");
        require(count == network->populations, "results are of other populations");
        require(inputs->samples >= 0 && inputs->steps > 0 && inputs->given_steps >= 0,
                "samples or steps are negative");
        require(inputs->item == 1 || inputs->item == 4, "values are neither uint8 nor int32");
        Run run{};
        run.samples = inputs->samples, run.steps = inputs->steps, run.threads = inputs->threads;
        run.window = inputs->window > 0 ? inputs->window : INT64_MAX;
        require(inputs->input >= 0 && inputs->input < count, "there is no such input");
        run.input = inputs->input;
        run.values = inputs->values, run.item = inputs->item, run.binary = inputs->binary;
        run.given_steps = inputs->given_steps, run.held = inputs->held;
        run.count_item = inputs->count_item;
        for (int i = 0; i < count; i++) {
            const nd_results& r = results[i];
            run.given.push_back({r.given_counts, r.given_neuron, r.given_payload});
            run.resets.push_back(r.resets);
            const auto base = reinterpret_cast<intptr_t>(inputs->counted);
            auto placed = [&](auto* at) {
                return at ? reinterpret_cast<decltype(at)>(reinterpret_cast<intptr_t>(at) + base) : at;
            };
            run.step_counts.push_back(placed(r.step_counts));
            run.counts.push_back(static_cast<char*>(placed(r.counts)));
            require(!r.counts || Run::holds(run.count_item, run.steps), "a count has too few bytes");
            run.overflows.push_back(placed(r.overflows));
            run.states.push_back({r.states, r.states ? r.state_count : 0});
            run.fired.push_back(r.fired);
            run.wanted.push_back(r.wants_messages != 0);
        }
        for (int k = 0; k < network->learning && learned; k++) {
            run.learned.push_back(learned[k]);
            require(!learned[k].carried || run.threads <= 1, "samples that carry take one thread");
        }
        network->packed->run(run);
        auto made = std::make_unique<nd_run_result>();
        made->messages = std::move(run.messages);
        made->has_payloads = std::move(run.has_payloads);
        return made.release();
    });
}

API void nd_run_free(nd_run_result* result) { delete result; }
API int nd_has_payloads(const nd_run_result* result, int population) {
    return result->has_payloads[population];
}

// How many messages of a population there are.
API int64_t nd_message_count(const nd_run_result* result, int population) {
    int64_t n = 0;
    for (const auto& messages : result->messages[population]) n += messages.neuron.size();
    return n;
}

// Copy a population's messages, sample after sample; `payload` may be null.
API void nd_messages(const nd_run_result* result, int population, int32_t* neuron,
                     int32_t* payload) {
    for (const auto& messages : result->messages[population]) {
        const size_t n = messages.neuron.size();
        if (n) std::memcpy(neuron, messages.neuron.data(), 4 * n);
        if (n && payload) std::memcpy(payload, messages.payload.data(), 4 * n);
        neuron += n;
        if (payload) payload += n;
    }
}

API nd_stream* nd_stream_new(nd_network* network, int input, int output, int gated) {
    return guarded(static_cast<nd_stream*>(nullptr), [&] {
        const int n = network->populations;
        require(input >= 0 && input < n && output >= 0 && output < n, "there is no such population");
        return new nd_stream{network->unit->stream(*network->packed, input, output, gated != 0), n};
    });
}

API void nd_stream_free(nd_stream* stream) { delete stream; }

API int nd_stream_begin(nd_stream* stream) {
    return guarded(-1, [&] { return stream->stream->begin(), 0; });
}

API int nd_stream_count(nd_stream* stream, int population, const int64_t* fan_out) {
    return guarded(-1, [&] {
        require(population >= 0 && population < stream->populations, "there is no such population");
        return stream->stream->count(population, fan_out), 0;
    });
}

API int nd_stream_step(nd_stream* stream, const int32_t* values, int32_t* out, int32_t* messages,
                       int64_t* synops) {
    return guarded(-1, [&] { return stream->stream->step(values, out, messages, synops), 0; });
}

// w, d, t of a projection that learns, each int16 [targets][sources], after the last step.
API int nd_stream_learned(nd_stream* stream, int number, int16_t* const* to) {
    return guarded(-1, [&] { return stream->stream->learned(number, to), 0; });
}
