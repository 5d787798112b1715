// A network laid out for one instruction set: parameters in rows, weights by operator.
#pragma once
#include "learning.hpp"
#include "neurons/stepper.hpp"
#include "synapses/conv.hpp"
#include "synapses/dense.hpp"
#include "synapses/listed.hpp"
#include <mutex>

namespace nd::ND_ISA {

constexpr size_t TILE_BYTES = 1 << 18;  // a tile's weights should stay in a core's cache
constexpr int TILE_COLUMNS = 256;       // few enough for threads to share a layer
constexpr size_t SLACK = 512;  // numbers that a delivery may write beyond a tile

// One parameter of a population, in rows; all neurons share one word where they are equal.
struct Parameter {
    Array<int32_t> values;
    bool varies = false;

    Parameter(const std::vector<int32_t>& given, const Layout& layout) {
        varies = given.size() > 1;
        if (!varies) {
            values.assign(64, given.at(0));
            return;
        }
        values.assign(layout.padded(), 0);
        for (int j = 0; j < layout.size(); j++) {
            const auto [row, column] = layout.place(j);
            values[size_t(row) * layout.stride() + column] = given.at(j);
        }
    }
    const int32_t* at(size_t place) const { return values.data() + (varies ? place : 0); }
};

struct Member {
    Layout layout;
    std::shared_ptr<const NeuronModel> model;
    HostStep host_step;
    std::vector<Parameter> parameters;
    std::vector<int32_t> varies, options;
    std::vector<int32_t> axon_delay;  // in rows, or empty
    Array<int32_t> first_state;  // as Sample holds states; empty where all are 0
    std::vector<int32_t> flat_of_column;  // see Layout::flat
    int longest_delay, starts, cycle;
    bool graded;
    std::vector<std::unique_ptr<Delivery>> feeds;
    std::vector<Tile> tiles;
    int read_back = 0;    // steps that its targets read back, at most
    bool listed = false;  // somebody reads what it sends
    bool all_listed = true;  // see Spikes
    bool learns = false;     // synapses into it do: what it was like in the step before is needed

    Member(const Population& population)
        : layout(population.layout), model(model_of(population)), host_step(population.host_step),
          options(population.options), longest_delay(population.longest_delay()),
          starts(population.starts), cycle(population.cycle), graded(population.graded) {
        if (int(population.parameters.size()) != words_in(model->parameters) ||
            int(options.size()) != words_in(model->options))
            throw Unsupported("neuron model " + population.kind + " takes parameters " +
                              std::string(model->parameters) + " and options " +
                              std::string(model->options));
        for (const auto& given : population.parameters) {
            parameters.emplace_back(given, layout);
            varies.push_back(parameters.back().varies ? -1 : 0);
        }
        for (int j = 0; j < layout.row; j++) flat_of_column.push_back(layout.flat(j));
        if (!population.axon_delay.empty()) {
            axon_delay.assign(layout.padded(), 0);
            for (int j = 0; j < layout.size(); j++) {
                const auto [row, column] = layout.place(j);
                axon_delay[size_t(row) * layout.stride() + column] = population.axon_delay[j];
            }
        }
    }

    static std::shared_ptr<const NeuronModel> model_of(const Population& population) {
        if (population.host_step)
            return std::make_shared<NeuronModel>(
                NeuronModel{"host-step", "", "", "", population.host_states, population.host_ports,
                            population.host_resets, nullptr});
        const NeuronModel* model = find_model(population.kind);
        if (!model) throw Unsupported("the core has no neuron model " + population.kind);
        return {std::shared_ptr<void>(), model};  // a constant, which nobody owns
    }

    size_t place_of(const Tile& tile) const {
        return size_t(tile.row) * layout.stride() + tile.column;
    }
    size_t largest_tile() const {
        size_t largest = 0;
        for (const Tile& tile : tiles) largest = std::max(largest, tile.size());
        return largest;
    }

    // States before the first step; v is the second of them.
    void lay_out_first_v(const std::vector<int32_t>& given) {
        if (given.empty()) return;
        if (model->states < 2) throw Unsupported("neuron model " + std::string(model->kind) + " has no v");
        first_state.assign(layout.padded() * model->states, 0);
        for (const Tile& tile : tiles)
            for (int j = 0; j < layout.size(); j++) {
                const auto [row, column] = layout.place(j);
                const int r = row - tile.row, c = column - tile.column;
                if (r < 0 || r >= tile.rows || c < 0 || c >= tile.columns) continue;
                first_state[place_of(tile) * model->states + tile.size() + size_t(r) * tile.columns + c] = given[j];
            }
    }

    void cut_into_tiles() {
        bool whole = host_step != nullptr, by_row = layout.rows > 1 || model->kind == "relay";
        for (const auto& feed : feeds) {
            whole |= feed->needs_all();
            by_row |= dynamic_cast<const Conv*>(feed.get()) != nullptr;
        }
        const int stride = layout.stride();
        if (whole) {
            tiles.push_back({0, layout.rows, 0, stride});
            return;
        }
        size_t column_bytes = 1;
        for (const auto& feed : feeds) column_bytes += feed->column_bytes();
        int columns = PackedRows::COLUMNS;
        while (2 * columns <= TILE_COLUMNS && 2 * columns * column_bytes <= TILE_BYTES) columns *= 2;
        if (by_row) columns = stride;
        for (int row = 0; row < layout.rows; row++)
            for (int first = 0; first < stride; first += columns)
                tiles.push_back({row, 1, first, std::min(columns, stride - first)});
    }
};

struct Layers {
    std::vector<Member> members;
    std::vector<const Learned*> learners;  // by their number, once all are here
    std::vector<int> taught;               // the population behind each of them
    std::mutex preparing;

    explicit Layers(const Network& network) {
        for (const Population& population : network.populations) members.emplace_back(population);
        for (size_t i = 0; i < members.size(); i++)
            for (const Projection& projection : network.populations[i].into) add(projection, i);
        const auto by_number = [](const Learned* a, const Learned* b) { return a->number < b->number; };
        std::sort(learners.begin(), learners.end(), by_number);
        taught.assign(learners.size(), 0);
        for (size_t i = 0; i < members.size(); i++)
            for (const auto& feed : members[i].feeds)
                if (const Learned* learned = feed->learned()) taught[learned->number] = int(i);
        for (size_t i = 0; i < members.size(); i++) {
            members[i].cut_into_tiles();
            members[i].lay_out_first_v(network.populations[i].first_v);
        }
    }

    // Pack weights for what their sources send in a run: spikes, or payloads, too.
    void prepare(const std::vector<uint8_t>& graded) {
        const std::lock_guard<std::mutex> held(preparing);
        for (Member& member : members)
            for (auto& feed : member.feeds) feed->prepare(graded[feed->source]);
        std::vector<bool> all(members.size(), false);
        for (Member& member : members)
            for (auto& feed : member.feeds)
                if (feed->needs_all_lists()) all[feed->source] = true;
        for (size_t i = 0; i < members.size(); i++) members[i].all_listed = all[i];
    }

private:
    void add(const Projection& projection, size_t target) {
        Member &from = members[projection.source], &to = members[target];
        std::unique_ptr<Delivery> feed;
        if (projection.rule) {
            auto learned = std::make_unique<Learned>(projection.rule, from.layout, to.layout);
            learners.push_back(learned.get());
            feed = std::move(learned);
            to.learns = true, to.read_back = std::max(to.read_back, 1);
        } else if (projection.matrix)
            feed = std::make_unique<Dense>(projection.matrix, from.layout, to.layout);
        else if (projection.list)
            feed = std::make_unique<Listed>(*projection.list, from.layout, to.layout);
        else if (from.layout.image && to.layout.image)
            feed = std::make_unique<Conv>(projection.kernel, from.layout, to.layout);
        else throw Unsupported("rows of an image are longer than the core's 32768 neurons");
        feed->source = projection.source, feed->hop = projection.lag;
        feed->lag = projection.lag + projection.delay;
        feed->port = projection.port, feed->wraps = projection.wraps;
        from.listed = true;
        from.read_back = std::max(from.read_back, feed->longest_lag());
        const bool same_cycle = from.cycle >= 0 && from.cycle == to.cycle;
        const bool before = size_t(projection.source) < target;
        if (!before && (!same_cycle || feed->lag == 0))
            throw Unsupported("a population is read before it ran");
        to.feeds.push_back(std::move(feed));
    }
};

}  // namespace nd::ND_ISA
