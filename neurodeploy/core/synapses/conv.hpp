// Convolutions, plain and transposed; depthwise ones are pools and unpools, too.
#pragma once
#include "conv_windows.hpp"

namespace nd::ND_ISA {

// Any kernel: each message adds the runs of channels that its taps lead to.
class ConvMessages {
    struct Tap {
        int place, tap;
    };

public:
    ConvMessages(const Kernel& kernel, const Layout& from, const Layout& to)
        : channels_(from.channels), out_(to.channels), in_group_(kernel.in_group),
          out_group_(kernel.out / kernel.groups), height_(kernel.height), width_(kernel.width) {
        rows_ = taps(kernel, 0, from.height, to.height, true);
        columns_ = taps(kernel, 1, from.width, to.width, false);
        length_ = out_group_ == 1 ? 1 : (out_group_ + LANES - 1) / LANES * LANES;
        weight_.assign(size_t(channels_) * height_ * width_ * length_, 0);
        for (int c = 0; c < channels_; c++)
            for (int o = 0; o < out_group_; o++)
                for (int tap = 0; tap < height_ * width_; tap++) {
                    const size_t out = size_t(c / in_group_) * out_group_ + o;
                    const size_t in = c % in_group_;
                    const int32_t weight =
                        kernel.weight[(out * in_group_ + in) * height_ * width_ + tap];
                    weight_[(size_t(c) * height_ * width_ + tap) * length_ + o] = weight;
                }
    }

    void deliver(const Spikes& from, int64_t sent, const Tile& tile, Currents& into) const {
        int32_t* to = into.zeroed();
        for (int r = 0; r < tile.rows; r++, to += tile.columns)
            for (const Tap& row : rows_[tile.row + r]) {
                if (from.graded) add_row<true>(from, sent, row, to);
                else add_row<false>(from, sent, row, to);
            }
    }

private:
    int channels_, out_, in_group_, out_group_, height_, width_, length_;
    std::vector<std::vector<Tap>> rows_;     // of each target row: source row and tap
    std::vector<std::vector<Tap>> columns_;  // of each source column: target column and tap
    Array<int32_t> weight_;                  // [channels][taps][targets of a group, filled up]

    static std::vector<std::vector<Tap>> taps(const Kernel& kernel, int axis, int sources,
                                              int targets, bool by_target) {
        const int size = axis == 0 ? kernel.height : kernel.width, step = kernel.stride[axis];
        std::vector<std::vector<Tap>> found(by_target ? targets : sources);
        for (int source = 0; source < sources; source++)
            for (int tap = 0; tap < size; tap++) {
                const int offset = tap * kernel.dilation[axis], padding = kernel.padding[axis];
                int target = source * step - padding + offset;
                if (!kernel.transposed) {
                    target = source + padding - offset;
                    if (target < 0 || target % step) continue;
                    target /= step;
                }
                if (target < 0 || target >= targets) continue;
                if (by_target) found[target].push_back({source, tap});
                else found[source].push_back({target, tap});
            }
        return found;
    }

    template <bool graded>
    void add_row(const Spikes& from, int64_t sent, const Tap& row, int32_t* to) const {
        const uint16_t* who = from.list_at(row.place, sent);
        const int n = from.count_at(row.place, sent);
        const int32_t* payload = graded ? from.payload_at(row.place, sent) : nullptr;
        for (int i = 0; i < n; i++) {
            const int x = who[i] / channels_, c = who[i] - x * channels_;
            const int32_t times = graded ? payload[who[i]] : 1;
            const int32_t* weight = weight_.data() + (size_t(c) * height_ + row.tap) * width_ * length_;
            int32_t* group = to + c / in_group_ * out_group_;
            for (const Tap& column : columns_[x]) {
                const int32_t* of_tap = weight + size_t(column.tap) * length_;
                int32_t* at = group + column.place * out_;
                if (length_ == 1) {
                    *at += *of_tap * times;
                    continue;
                }
                for (int k = 0; k < length_; k += LANES)
                    store(at + k, load<I>(at + k) + load<I>(of_tap + k) * times);
            }
        }
    }
};

struct Conv final : Delivery {
    std::shared_ptr<const Kernel> kernel;
    Layout from, to;
    std::unique_ptr<ConvWindows<S16>> narrow;  // for plain spikes, where 16 bits hold all sums
    std::unique_ptr<ConvWindows<I>> wide;
    std::unique_ptr<ConvMessages> messages;

    Conv(std::shared_ptr<const Kernel> k, const Layout& f, const Layout& t)
        : kernel(std::move(k)), from(f), to(t) {}

    void prepare(bool graded) override {
        if (!window_suits(*kernel, from)) {
            if (!messages) messages = std::make_unique<ConvMessages>(*kernel, from, to);
        } else if (!graded && (narrow || sums_fit_16_bits(*kernel))) {
            if (!narrow) narrow = std::make_unique<ConvWindows<S16>>(*kernel, from, to);
        } else if (!wide) {
            wide = std::make_unique<ConvWindows<I>>(*kernel, from, to);
        }
    }

    bool needs_all_lists() const override { return !narrow || !narrow->has_tables() || wide; }

    void deliver(const Spikes& spikes, int64_t t, const Tile& tile, Currents& into) const override {
        if (messages) messages->deliver(spikes, t - lag, tile, into);
        else if (narrow && !spikes.graded) narrow->deliver(spikes, t - lag, tile, into);
        else wide->deliver(spikes, t - lag, tile, into);
    }
};

}  // namespace nd::ND_ISA
