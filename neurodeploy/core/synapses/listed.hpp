// Synapses listed one by one: sparse, one-to-one, a delay for each. A message walks its stretch.
#pragma once
#include "delivery.hpp"

namespace nd::ND_ISA {

struct Listed final : Delivery {
    int row_length, stride;        // of the source's and the target's layout
    size_t sources;
    std::vector<int32_t> delays;   // those that occur, rising
    std::vector<int64_t> first;    // [delays][sources + 1] into target and weight
    std::vector<int32_t> target, weight;

    Listed(const List& list, const Layout& from, const Layout& to)
        : row_length(from.row), stride(to.stride()), sources(size_t(from.rows) * from.row) {
        for (const Synapse& synapse : list) delays.push_back(synapse.delay);
        std::sort(delays.begin(), delays.end());
        delays.erase(std::unique(delays.begin(), delays.end()), delays.end());
        auto place = [&](const Synapse& s) {
            const auto which = std::lower_bound(delays.begin(), delays.end(), s.delay);
            const auto [row, column] = from.place(s.source);
            return (which - delays.begin()) * int64_t(sources + 1) + row * row_length + column;
        };
        first.assign(delays.size() * (sources + 1) + 1, 0);
        for (const Synapse& synapse : list) first[place(synapse) + 1]++;
        for (size_t k = 1; k < first.size(); k++) first[k] += first[k - 1];
        std::vector<int64_t> next(first);
        target.resize(list.size());
        weight.resize(list.size());
        for (const Synapse& synapse : list) {
            const int64_t at = next[place(synapse)]++;
            const auto [row, column] = to.place(synapse.target);
            target[at] = row * stride + column;
            weight[at] = synapse.weight;
        }
    }

    int longest_lag() const override { return lag + (delays.empty() ? 0 : delays.back()); }
    bool needs_all() const override { return true; }

    void deliver(const Spikes& from, int64_t t, const Tile&, Currents& into) const override {
        int32_t* current = into.zeroed();
        for (size_t d = 0; d < delays.size() && delays[d] <= t - lag; d++) {
            const int64_t* of_delay = first.data() + d * (sources + 1);
            each_message(from, t - lag - delays[d], [&](int row, int column, int32_t payload) {
                const int64_t* at = of_delay + row * row_length + column;
                for (int64_t k = at[0]; k < at[1]; k++) current[target[k]] += weight[k] * payload;
            });
        }
    }
};

}  // namespace nd::ND_ISA
