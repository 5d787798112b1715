// One sample on its way through the network: states, messages, and the loop over steps.
#pragma once
#include "inputs.hpp"
#include "packed.hpp"

namespace nd::ND_ISA {

// What one thread needs while it runs a tile.
struct Scratch {
    Array<int32_t> current[2], part, state, payload, host;
    Array<uint64_t> sent;
    Array<uint8_t> flags;
    Array<uint32_t> counts;
    std::vector<RowStep> rows;
    std::vector<const int32_t*> parameters;

    void fit(size_t tile, size_t states) {
        for (auto* a : {&current[0], &current[1], &part}) make_room(*a, tile + SLACK);
        make_room(state, tile * states + 1);
        make_room(payload, tile);
        make_room(sent, tile / 64 + 1);
        make_room(flags, tile + 64);
        make_room(counts, tile + 64);
    }
};

// Values presented to the input population.
struct Presented {
    const char* at = nullptr;
    int item = 4;
    size_t step_bytes = 0;
    int64_t steps = 0;  // given; nothing is presented after them
};

// Where a population's results of this sample go; each may be null.
struct Results {
    int32_t* step_counts = nullptr;
    Run::States states = {};
    size_t first_state = 0;  // where this sample's begin
    void* counts = nullptr;
    int count_item = 8;
    int64_t* overflows[3] = {};
    uint8_t* fired = nullptr;
    Run::Messages* messages = nullptr;
};

// Messages that were recorded, of one sample.
struct GivenMessages {
    const int32_t *step_counts = nullptr, *neuron = nullptr, *payload = nullptr;
    int64_t next = 0;
};

class Sample {
public:
    // `steps` at the most, `window` of them at a time; graded: whether a population sends payloads.
    void prepare(const Layers& layers, const std::vector<uint8_t>& graded, int64_t steps,
                 int64_t window) {
        layers_ = &layers;
        const size_t n = layers.members.size();
        once_ = steps <= window;
        sent_.resize(n);
        states_.resize(n);
        for (size_t i = 0; i < n; i++) {
            const Member& m = layers.members[i];
            sent_[i].prepare(m.layout, graded[i], m.listed, steps, window, m.read_back,
                             m.longest_delay);
            const bool kept = !once_ || m.cycle >= 0 || m.learns;
            states_[i].assign(kept ? m.layout.padded() * m.model->states : 0, 0);
        }
        learners.clear();
        for (const Learned* how : layers.learners) learners.emplace_back(*how);
        learned.assign(learners.size(), {});
        results.assign(n, {});
        given.assign(n, {});
        resets.assign(n, nullptr);
        early.assign(n, 0);
    }

    Presented presented;
    size_t input = 0;  // the population that it is presented to
    std::vector<Results> results;
    std::vector<GivenMessages> given;
    std::vector<const uint8_t*> resets;
    std::vector<Learner> learners;
    std::vector<Run::Learned> learned;  // where what they learn goes, of this sample
    std::vector<uint8_t> early;  // populations whose sources are read within the step (gated)

    const Spikes& sent(size_t population) const { return sent_[population]; }

    // Begin again from the first states. What targets read of a population may have changed since
    // `prepare`: weights are packed when they are first needed.
    void begin() {
        for (size_t i = 0; i < sent_.size(); i++)
            sent_[i].all_listed = layers_->members[i].all_listed;
        for (size_t i = 0; i < states_.size(); i++) {
            const Array<int32_t>& first = layers_->members[i].first_state;
            if (first.empty() || states_[i].empty()) std::fill(states_[i].begin(), states_[i].end(), 0);
            else std::copy(first.begin(), first.end(), states_[i].begin());
        }
        for (size_t k = 0; k < learners.size(); k++) learners[k].begin(learned[k].carried);
        for (size_t i = 0; i < sent_.size(); i++) {
            Spikes& spikes = sent_[i];
            const int64_t slots = layers_->members[i].longest_delay;
            for (int row = 0; row < spikes.layout.rows; row++)
                for (int64_t t = 0; t < slots; t++) spikes.clear(row, t);
        }
    }

    // Learn from a step, of which all populations have run, and let what was sent in it arrive.
    void learn(size_t number, int64_t sent, int64_t fired, int32_t* current) {
        const Learned& how = *layers_->learners[number];
        const size_t target = layers_->taught[number];
        Learner& learner = learners[number];
        learner.step(sent_[how.source], sent, sent_[target], fired, states_[target].data(),
                     layers_->members[target].layout.padded(), current);
        if (!learner.ended_an_epoch()) return;
        Run::Learned& to = learned[number];
        const size_t synapses = size_t(how.from.size()) * how.to.size();
        for (int k = 0; k < 3; k++)
            if (to.epochs[k]) learner.copy(k, to.epochs[k]), to.epochs[k] += synapses;
        if (to.x) learner.copy_x(to.x), to.x += 2 * how.from.size();
        if (to.y) learner.copy_y(to.y), to.y += 3 * how.to.size();
    }

    // Learn from the last step, after which nothing arrives any more.
    void finish_learning(int64_t steps) {
        for (size_t k = 0; k < learners.size(); k++) {
            const int64_t last = steps - layers_->learners[k]->lag;
            if (last >= 0) learn(k, last, steps - 1, nullptr);
            for (int v = 0; v < 3; v++)
                if (learned[k].after[v]) learners[k].copy(v, learned[k].after[v]);
            if (learned[k].updates) *learned[k].updates = learners[k].updates();
            if (learned[k].carried) learners[k].carry(learned[k].carried);
        }
    }

    // Run the steps t0..t1 of a tile, or take them from what was given.
    void run_tile(size_t population, const Tile& tile, int64_t t0, int64_t t1, Scratch& scratch) {
        const Member& m = layers_->members[population];
        scratch.fit(std::max(tile.size(), size_t(m.layout.stride())), m.model->states);
        const GivenMessages& messages = given[population];
        if (messages.step_counts) return;  // see `take_messages`
        if (takes_bits(population)) {
            for (int64_t t = t0; t < t1; t++)
                for (int r = tile.row; r < tile.row + tile.rows; r++) present_row(population, r, t, scratch);
            return;
        }
        TileRun run{*this, population, m, tile, scratch};
        for (int64_t t = t0; t < t1; t++) run.step(t);
        run.finish();
    }

    // Whether a population sends what is presented, bit by bit; its tiles are rows.
    bool takes_bits(size_t population) const {
        const Member& m = layers_->members[population];
        return population == input && presented.at && !sent_[population].graded &&
               m.model->kind == "relay" && m.axon_delay.empty();
    }

    // Mark what was recorded of a population.
    void take_messages(size_t population, int64_t t0, int64_t t1) {
        GivenMessages& from = given[population];
        Spikes& to = sent_[population];
        if (!from.step_counts) return;
        for (int64_t t = t0; t < t1; t++) {
            for (int row = 0; row < to.layout.rows; row++) to.clear(row, t);
            for (int32_t k = 0; k < from.step_counts[t]; k++, from.next++) {
                const auto [row, column] = to.layout.place(from.neuron[from.next]);
                to.bits_at(row, t)[column / 64] |= uint64_t(1) << (column % 64);
                if (to.graded)
                    to.payload_at(row, t)[column] = from.payload ? from.payload[from.next] : 1;
            }
        }
    }

    void list_row(size_t population, int row, int64_t t0, int64_t t1) {
        if (!layers_->members[population].listed) return;
        for (int64_t t = t0; t < t1; t++) sent_[population].list_row(row, t);
    }

    // Count what a row sent in the steps t0..t1 of one window.
    void count(size_t population, int row, int64_t t0, int64_t t1, Scratch& scratch) {
        const Results& to = results[population];
        const Spikes& spikes = sent_[population];
        const Layout& layout = spikes.layout;
        if (to.step_counts)
            for (int64_t t = t0; t < t1; t++) {
                const int n = spikes.listed ? spikes.count_at(row, t) : spikes.sent_by(row, t);
                if (n) __atomic_fetch_add(to.step_counts + t, n, __ATOMIC_RELAXED);
            }
        if (!to.counts) return;
        make_room(scratch.counts, size_t(layout.stride()) + 64);
        count_row(spikes, row, t0, t1, scratch.counts.data());
        const uint32_t* counted = scratch.counts.data();
        if (to.count_item == 1) add_counts(counted, layout, row, static_cast<uint8_t*>(to.counts));
        else if (to.count_item == 2)
            add_counts(counted, layout, row, static_cast<uint16_t*>(to.counts));
        else add_counts(counted, layout, row, static_cast<int64_t*>(to.counts));
    }

    // Append who sent in the steps t0..t1, step after step.
    void gather(size_t population, int64_t t0, int64_t t1) const {
        Run::Messages* to = results[population].messages;
        if (!to) return;
        const Spikes& spikes = sent_[population];
        const Layout& layout = spikes.layout;
        size_t n = 0;
        for (int row = 0; row < layout.rows; row++)
            for (int64_t t = t0; t < t1; t++) n += spikes.sent_by(row, t);
        const size_t before = to->neuron.size();
        to->neuron.resize(before + n);
        int32_t* neuron = to->neuron.data() + before;
        if (spikes.graded) to->payload.resize(before + n);
        int32_t* value = spikes.graded ? to->payload.data() + before : nullptr;
        const int32_t* flat = layers_->members[population].flat_of_column.data();
        for (int64_t t = t0; t < t1; t++)
            for (int row = 0; row < layout.rows; row++) {
                const uint64_t* bits = spikes.bits_at(row, t);
                const int32_t* payload = spikes.graded ? spikes.payload_at(row, t) : nullptr;
                const int32_t first = row * layout.step_of_row();
                for (int w = 0; w < layout.words; w++) {
                    uint16_t who[64 + LIST_SLACK];
                    const int found = std::popcount(bits[w]);
                    list_bits(bits + w, 1, found, who);
                    for (int i = 0; i < found; i++) *neuron++ = flat[64 * w + who[i]] + first;
                    if (payload)
                        for (int i = 0; i < found; i++) *value++ = payload[64 * w + who[i]];
                }
            }
    }

    // Call put(column, (C, H, W) index) for columns first..first+n of a row.
    template <class Put>
    static void each_flat(const Member& m, int row, int first, int n, Put put) {
        const int32_t* flat = m.flat_of_column.data();
        const int32_t begin = row * m.layout.step_of_row();
        for (int column = first; column < first + n; column++) put(column, begin + flat[column]);
    }

private:
    const Layers* layers_ = nullptr;
    bool once_ = false;  // all steps are one window, so that states need no place of their own
    std::vector<Spikes> sent_;
    std::vector<Array<int32_t>> states_;  // [tiles][states][neurons of the tile]

    void present_row(size_t population, int row, int64_t t, Scratch& scratch) {
        Spikes& spikes = sent_[population];
        uint64_t* bits = spikes.bits_at(row, t);
        const char* at = presented.at + t * presented.step_bytes;
        if (t >= presented.steps || t < layers_->members[population].starts) spikes.clear(row, t);
        else if (presented.item == 1)
            read_spikes(reinterpret_cast<const uint8_t*>(at), spikes.layout, row, bits,
                        scratch.flags.data());
        else
            read_spikes(reinterpret_cast<const int32_t*>(at), spikes.layout, row, bits,
                        scratch.flags.data());
    }

    template <class Count>
    static void add_counts(const uint32_t* counted, const Layout& layout, int row, Count* to) {
        const size_t n = layout.neurons_in(row), channels = layout.channels, width = layout.width;
        if (in_order(layout)) {
            to += size_t(row) * layout.row;
            for (size_t j = 0; j < n; j++) to[j] += static_cast<Count>(counted[j]);
            return;
        }
        to += row * width;
        for (size_t c = 0; c < channels; c++, to += layout.height * width)
            for (size_t x = 0; x < width; x++) to[x] += static_cast<Count>(counted[x * channels + c]);
    }

    struct TileRun {
        Sample& sample;
        size_t population;
        const Member& m;
        const Tile& tile;
        Scratch& scratch;
        int32_t* state;
        int64_t overflows[3] = {};
        bool presents = false;

        TileRun(Sample& s, size_t p, const Member& member, const Tile& t, Scratch& own)
            : sample(s), population(p), m(member), tile(t), scratch(own) {
            const size_t size = tile.size() * m.model->states;
            if (sample.states_[p].empty()) {
                state = scratch.state.data();
                if (m.first_state.empty()) std::memset(state, 0, 4 * size);
                else std::memcpy(state, m.first_state.data() + m.place_of(tile) * m.model->states, 4 * size);
            } else {
                state = sample.states_[p].data() + m.place_of(tile) * m.model->states;
            }
            // Lanes beyond a row's neurons are stepped, too, and should see zeros.
            for (int port = 0; port < m.model->ports; port++)
                std::memset(scratch.current[port].data(), 0, 4 * (tile.size() + SLACK));
            lay_out_rows();
        }

        // What stays the same from step to step.
        void lay_out_rows() {
            const size_t parameters = m.parameters.size();
            scratch.rows.resize(tile.rows);
            scratch.parameters.resize(tile.rows * parameters);
            for (int r = 0; r < tile.rows; r++) {
                const size_t at = size_t(r) * tile.columns;
                const int rest = m.layout.neurons_in(tile.row + r) - tile.column;
                const int32_t** own = scratch.parameters.data() + r * parameters;
                for (size_t i = 0; i < parameters; i++)
                    own[i] = m.parameters[i].at(m.place_of(tile) + at);
                scratch.rows[r] = {std::min(rest, tile.columns),
                                   {scratch.current[0].data() + at, scratch.current[1].data() + at},
                                   state + at, tile.size(), own, m.varies.data(), m.options.data(),
                                   scratch.sent.data(), nullptr, overflows};
            }
        }

        void step(int64_t t) {
            Spikes& sent = sample.sent_[population];
            const bool delays = !m.axon_delay.empty();
            const int words = tile.columns / 64;
            if (delays)
                for (int r = 0; r < tile.rows; r++)
                    std::memset(sent.bits_at(tile.row + r, t + m.longest_delay) + tile.column / 64,
                                0, 8 * size_t(words));
            if (t < m.starts) return rest(t);
            const uint8_t* resets = sample.resets[population];
            collect(t);  // first: what learns reads the states of the step before
            if (resets && resets[t] && m.model->resets)
                std::memset(state, 0, 4 * tile.size() * m.model->states);
            const Results& to = sample.results[population];
            const bool records = to.states.count || to.fired;
            if (m.host_step) ask_host();
            for (int r = 0; r < tile.rows; r++) {
                const int row = tile.row + r;
                RowStep& step = scratch.rows[r];
                step.records = records;
                if (!delays) {
                    step.sent = sent.bits_at(row, t) + tile.column / 64;
                    if (sent.graded) step.payload = sent.payload_at(row, t) + tile.column;
                } else if (sent.graded) {
                    step.payload = scratch.payload.data();
                }
                if (m.host_step) take_from_host(row, step);
                else m.model->step(step);
                if (delays) send_late(row, t, step.neurons);
                if (records) record(row, t, step.neurons, step.state, step.sent);
            }
        }

        // Let the host step all neurons, which are one tile; see HostStep.
        void ask_host() {
            const int ports = m.model->ports, states = m.model->states;
            const size_t size = m.layout.size();
            make_room(scratch.host, (ports + states + 1) * size);
            int32_t* host = scratch.host.data();
            each_row([&](int row, size_t at, int neurons) {
                each_flat(m, row, 0, neurons, [&](int column, int32_t flat) {
                    for (int k = 0; k < ports; k++)
                        host[k * size + flat] = scratch.current[k][at + column];
                    for (int k = 0; k < states; k++)
                        host[(ports + k) * size + flat] = state[k * tile.size() + at + column];
                });
            });
            int32_t* held = host + ports * size;
            if (const int32_t failure = m.host_step(host, held, held + states * size))
                throw HostFailure(failure);
            each_row([&](int row, size_t at, int neurons) {
                each_flat(m, row, 0, neurons, [&](int column, int32_t flat) {
                    for (int k = 0; k < states; k++)
                        state[k * tile.size() + at + column] = held[k * size + flat];
                });
            });
        }

        template <class Each>
        void each_row(Each each) {
            for (int r = 0; r < tile.rows; r++)
                each(r, size_t(r) * tile.columns, m.layout.neurons_in(r));
        }

        void take_from_host(int row, RowStep& step) {
            const int32_t* sent = scratch.host.data() +
                                  (m.model->ports + m.model->states) * size_t(m.layout.size());
            std::memset(step.sent, 0, 8 * size_t(tile.columns / 64));
            each_flat(m, row, 0, step.neurons, [&](int column, int32_t flat) {
                step.sent[column / 64] |= uint64_t(sent[flat] != 0) << (column % 64);
                if (step.payload) step.payload[column] = sent[flat];
            });
        }

        // Add up what arrives in step t.
        void collect(int64_t t) {
            const int ports = m.model->ports;
            Currents currents[2] = {{scratch.current[0].data(), tile.size()},
                                    {scratch.current[1].data(), tile.size()}};
            if (population == sample.input && sample.presented.at) present(t, currents[0]);
            for (const auto& feed : m.feeds) {
                const bool within = sample.early[population] && size_t(feed->source) != population;
                const int64_t clock = t + (within ? feed->hop : 0);
                if (clock < feed->lag) continue;
                const Spikes& from = sample.sent_[feed->source];
                Currents& into = currents[feed->port];
                if (const Learned* how = feed->learned())
                    sample.learn(how->number, clock - feed->lag, t - 1, into.zeroed());
                else if (!feed->wraps) feed->deliver(from, clock, tile, into);
                else deliver_wrapped(*feed, from, clock, into);
            }
            for (int port = 0; port < ports; port++) currents[port].zeroed();
        }

        // The sum of this projection wraps to 24 bits by itself.
        void deliver_wrapped(const Delivery& feed, const Spikes& from, int64_t t, Currents& into) {
            Currents own{scratch.part.data(), tile.size()};
            feed.deliver(from, t, tile, own);
            own.zeroed();
            int32_t* to = into.zeroed();
            I wraps = {};
            for (int r = 0; r < tile.rows; r++) {
                const int neurons = m.layout.neurons_in(tile.row + r) - tile.column;
                for (int j = 0; j < tile.columns && j < neurons; j += LANES) {
                    const size_t at = size_t(r) * tile.columns + j;
                    const I sum = load<I>(own.at + at), wrapped = (sum << 8) >> 8;
                    wraps -= (wrapped != sum) & (counting(j) < neurons);
                    store(to + at, load<I>(to + at) + wrapped);
                }
            }
            overflows[2] += sum_of(wraps);
        }

        void present(int64_t t, Currents& into) {
            const Presented& from = sample.presented;
            if (t >= from.steps) return;
            // What is held for all steps is there since the first, if nothing is added to it.
            if (from.step_bytes == 0 && m.feeds.empty() && presents) {
                into.empty = false;
                return;
            }
            presents = true;
            const char* at = from.at + t * from.step_bytes;
            for (int r = 0; r < tile.rows; r++) {
                const int row = tile.row + r;
                const int n = std::min(m.layout.neurons_in(row) - tile.column, tile.columns);
                int32_t* to = into.at + size_t(r) * tile.columns;
                if (from.item == 1)
                    read_currents(reinterpret_cast<const uint8_t*>(at), m.layout, row, tile.column,
                                  n, to);
                else
                    read_currents(reinterpret_cast<const int32_t*>(at), m.layout, row, tile.column,
                                  n, to);
            }
            into.empty = false;
        }

        // Messages wait on their axons; each neuron's always equally long.
        void send_late(int row, int64_t t, int neurons) {
            const int32_t* delay =
                m.axon_delay.data() + size_t(row) * m.layout.stride() + tile.column;
            Spikes& sent = sample.sent_[population];
            for (int w = 0; 64 * w < neurons; w++)
                for (uint64_t word = scratch.sent[w]; word; word &= word - 1) {
                    const int j = 64 * w + __builtin_ctzll(word);
                    const int column = tile.column + j;
                    sent.bits_at(row, t + delay[j])[column / 64] |= uint64_t(1) << (column % 64);
                    if (sent.graded) sent.payload_at(row, t + delay[j])[column] = scratch.payload[j];
                }
        }

        void record(int row, int64_t t, int neurons, const int32_t* from, const uint64_t* bits) {
            const Results& to = sample.results[population];
            const size_t step = size_t(t) * m.layout.size();
            for (int k = 0; k < to.states.count && k < m.model->states; k++) {
                if (!to.states.at[k]) continue;
                int32_t* kept = to.states.at[k] + to.first_state + step;
                const int32_t* values = from + k * tile.size() - tile.column;
                each_flat(m, row, tile.column, neurons,
                          [&](int column, int32_t flat) { kept[flat] = values[column]; });
            }
            if (to.fired)
                each_flat(m, row, tile.column, neurons, [&](int column, int32_t flat) {
                    const int j = column - tile.column;
                    to.fired[step + flat] = bits[j / 64] >> (j % 64) & 1;
                });
        }

        // Before its neurons begin a population sends nothing, and what arrives is lost.
        void rest(int64_t t) {
            Spikes& sent = sample.sent_[population];
            const size_t words = tile.columns / 64;
            std::fill(scratch.sent.begin(), scratch.sent.begin() + words, 0);
            for (int r = 0; r < tile.rows; r++) {
                const int row = tile.row + r;
                const int neurons = std::min(m.layout.neurons_in(row) - tile.column, tile.columns);
                if (m.axon_delay.empty())
                    std::memset(sent.bits_at(row, t) + tile.column / 64, 0, 8 * words);
                record(row, t, neurons, state + size_t(r) * tile.columns, scratch.sent.data());
            }
        }

        void finish() {
            for (int k = 0; k < 3; k++) {
                int64_t* to = sample.results[population].overflows[k];
                if (to && overflows[k]) __atomic_fetch_add(to, overflows[k], __ATOMIC_RELAXED);
            }
        }
    };
};

}  // namespace nd::ND_ISA
