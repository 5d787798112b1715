// Synapses that learn: Loihi's learning engine as Lava's fixed-point model has it, to the bit.
//
// Source of every rule here: LearningConnectionModelBitApproximate, LearningRuleApplierBitApprox,
// TraceRandom (lava/magma/core, lava-nc 0.10.0); docs/learning.md tells it in words. What looks odd
// is Lava's: "Lava:" says so where it stands.
#pragma once
#include "synapses/delivery.hpp"
#include <cmath>

namespace nd::ND_ISA {

// NumPy's PCG64 (O'Neill 2014, XSL-RR of 128 bits), drawn from as NumPy's Generator does.
struct Pcg64 {
    using Wide = unsigned __int128;
    Wide state = 0, increment = 0;
    uint32_t kept = 0;
    bool has_kept = false;

    explicit Pcg64(const uint64_t* words = nullptr) {
        if (!words) return;
        state = Wide(words[0]) << 64 | words[1];
        increment = Wide(words[2]) << 64 | words[3];
    }
    uint64_t next() {
        constexpr Wide MULTIPLIER = Wide(2549297995355413924u) << 64 | 4865540595714422341u;
        state = state * MULTIPLIER + increment;
        const auto mixed = static_cast<uint64_t>(state >> 64) ^ static_cast<uint64_t>(state);
        return std::rotr(mixed, static_cast<int>(state >> 122));
    }
    // Generator.random: 0 <= r < 1 with 53 bits.
    double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
    // Generator.integers(0, 128): the upper bits of half a draw; the other half is for the next.
    int below_128() {
        if (has_kept) {
            has_kept = false;
            return static_cast<int>(kept >> 25);
        }
        const uint64_t drawn = next();
        kept = static_cast<uint32_t>(drawn >> 32), has_kept = true;
        return static_cast<int>(static_cast<uint32_t>(drawn) >> 25);
    }
};

// What a projection that learns is to the loop over steps; its weights are a sample's own.
struct Learned final : Delivery {
    std::shared_ptr<const LearningRule> rule;
    Layout from, to;
    int number;  // among all that learn

    Learned(std::shared_ptr<const LearningRule> r, const Layout& f, const Layout& t)
        : rule(std::move(r)), from(f), to(t), number(rule->number) {}

    // Its neurons' spikes are looked at together.
    bool needs_all() const override { return true; }
    const Learned* learned() const override { return this; }
    void deliver(const Spikes&, int64_t, const Tile&, Currents&) const override {}
};

class Learner {
    static constexpr int32_t TRACE_TOP = 127;
    static constexpr int TRACE_VALUES = 256;  // a payload may bring x1 beyond 127
    static constexpr int VARIABLE_SHIFT = 7;  // from a synaptic variable to the accumulator
    // Lava: the accumulator is clipped to one more than 16 bits hold, below zero.
    static constexpr int32_t SUM_LEAST = -(1 << 15) - 1, SUM_MOST = (1 << 15) - 1;

public:
    explicit Learner(const Learned& how)
        : rule_(how.rule), sources_(how.from.size()), targets_(how.to.size()),
          from_stride_(how.from.stride()), stride_((targets_ + LANES - 1) / LANES * LANES) {
        for (int j = 0; j < sources_; j++) {
            const auto [row, column] = how.from.place(j);
            const size_t at = size_t(row) * from_stride_ + column;
            if (source_at_.size() <= at) source_at_.resize(at + 1);
            source_at_[at] = j;
        }
        for (int i = 0; i < targets_; i++) {
            const auto [row, column] = how.to.place(i);
            place_.push_back(row * how.to.stride() + column);
            in_order_ &= place_.back() == i;
        }
        for (Array<int32_t>& variable : variable_) variable.assign(size_t(sources_) * stride_, 0);
        synapses_of_.assign(sources_, targets_);
        const bool all = rule_->exists.empty();
        exists_.assign(all ? stride_ : size_t(sources_) * stride_, 0);
        if (!all) std::fill(synapses_of_.begin(), synapses_of_.end(), 0);
        for (int j = 0; j < (all ? 1 : sources_); j++)
            for (int i = 0; i < targets_; i++) {
                const bool there = all || rule_->exists[size_t(i) * sources_ + j];
                exists_[at(j, i)] = -int32_t(there);
                if (!all) synapses_of_[j] += there;
            }
        x_.resize(2 * size_t(sources_)), tx_.resize(sources_), low_tag_.resize(sources_);
        y_.assign(3 * size_t(stride_), 0), ty_.assign(stride_, 0);
        const size_t times = rule_->epoch + 1;
        x_history_.resize(times * x_.size()), y_history_.resize(times * y_.size());
        y_at_y0_.resize(y_.size());
        for (auto* a : {&part_, &x_at_y0_, &fired_}) a->assign(stride_, 0);
        for (auto& sum : sum_) sum.resize(stride_);
    }

    // Begin a sample with the weights of the network, or with what was `carried` from the one before.
    void begin(const uint64_t* carried) {
        clock_ = 0, updates_ = 0;
        for (auto* a : {&x_, &tx_, &y_, &ty_}) std::fill(a->begin(), a->end(), 0);
        if (carried && carried[0]) return resume(carried);
        // Lava: mixed weights lose their last bit once, and may be odd again from then on.
        const int lost = rule_->sign == LearningRule::MIXED;
        for (int j = 0; j < sources_; j++)
            for (int i = 0; i < targets_; i++)
                variable_[0][at(j, i)] = rule_->weight[size_t(i) * sources_ + j] >> lost << lost;
        for (int k : {1, 2}) std::fill(variable_[k].begin(), variable_[k].end(), 0);
        std::fill(low_tag_.begin(), low_tag_.end(), 0);
        for (int k = 0; k < GENERATORS; k++) random_[k] = Pcg64(rule_->generators + 4 * k);
        draw();
        random_[SYNAPTIC].uniform();  // Lava: drawn when made, and never used
    }

    // uint64 words in which what is carried from sample to sample stands.
    static size_t words_carried(int64_t synapses) { return 1 + 6 * GENERATORS + (3 * synapses + 1) / 2; }

    void carry(uint64_t* to) const {
        *to++ = 1;
        for (const Pcg64& random : random_) {
            *to++ = static_cast<uint64_t>(random.state >> 64), *to++ = static_cast<uint64_t>(random.state);
            *to++ = static_cast<uint64_t>(random.increment >> 64), *to++ = static_cast<uint64_t>(random.increment);
            *to++ = random.kept, *to++ = random.has_kept;
        }
        auto* values = reinterpret_cast<int32_t*>(to);
        for (const Array<int32_t>& variable : variable_)
            for (int j = 0; j < sources_; j++)
                values = std::copy_n(variable.data() + at(j, 0), targets_, values);
    }

    // Add to the currents (or to none) what the sources sent in step `sent` brings with the weights
    // as they are, and then learn from it and from what the targets sent in step `fired`, whose
    // states after it are `states`, [states][stride].
    void step(const Spikes& from, int64_t sent, const Spikes& to, int64_t fired,
              const int32_t* states, size_t stride, int32_t* current) {
        clock_++;
        const int now = within(clock_);
        if (rule_->payload >= LearningRule::ADD_SATURATING) add_payloads(from, sent, now, current);
        else
            each_message(from, sent, [&](int row, int column, int32_t payload) {
                const int j = source_at_[size_t(row) * from_stride_ + column];
                deliver(j, payload, current);
                const bool again = tx_[j] > 0;
                // Lava: a second spike within the epoch adds at once, rounded up if at all.
                if (rule_->payload == LearningRule::OVERWRITE) x_[j] = halved(payload);
                else if (again) x_[j] = risen(x_[j], 0, 0);
                if (again) x_[sources_ + j] = risen(x_[sources_ + j], 1, 0);
                tx_[j] = now;
            });
        draw();
        for (int row = 0; row < to.layout.rows; row++) {
            const uint64_t* bits = to.bits_at(row, fired);
            for (int w = 0; w < to.layout.words; w++)
                for (uint64_t word = bits[w]; word; word &= word - 1)
                    post(row, 64 * w + __builtin_ctzll(word), to.layout, now);
        }
        if (rule_->three_factors)
            for (int k = 0; k < 3; k++)
                for (int i = 0; i < targets_; i++) y_[k * stride_ + i] = states[(2 + k) * stride + place_[i]];
        draw();  // Lava: twice in each step
        if (now == rule_->epoch) learn();
    }

    // Synapses for which some product of the rule counted, over all epochs.
    int64_t updates() const { return updates_; }
    bool ended_an_epoch() const { return clock_ % rule_->epoch == 0; }

    // A synaptic variable (w, d, t) as [targets][sources].
    void copy(int variable, int16_t* to) const {
        for (int i = 0; i < targets_; i++)
            for (int j = 0; j < sources_; j++)
                *to++ = static_cast<int16_t>(variable_[variable][at(j, i)]);
    }
    void copy_x(int16_t* to) const { std::copy(x_.begin(), x_.end(), to); }
    void copy_y(int16_t* to) const {
        for (int k = 0; k < 3; k++) to = std::copy_n(y_.begin() + k * stride_, targets_, to);
    }

private:
    enum { X_DECAY, X_IMPULSE, Y_DECAY, Y_IMPULSE, SYNAPTIC, GENERATORS };

    std::shared_ptr<const LearningRule> rule_;
    int sources_, targets_, from_stride_, stride_;  // targets are filled up to whole registers
    bool in_order_ = true;  // currents lie as targets do
    std::vector<int32_t> source_at_, place_;
    Array<int32_t> variable_[3];         // w, d, t: [sources][stride]
    std::vector<int32_t> x_, y_;         // [2][sources], [3][stride]
    std::vector<int32_t> tx_, ty_;       // time of the last spike within the epoch, or 0
    std::vector<uint8_t> low_tag_;       // see write
    Pcg64 random_[GENERATORS];
    double decay_draw_[2] = {};
    int impulse_draw_[2] = {};
    int64_t clock_ = 0, updates_ = 0;
    Array<int32_t> exists_;          // -1 or 0, [sources][stride], or one row for all sources
    std::vector<int64_t> synapses_of_;
    Array<int32_t> x_history_, y_history_;  // [times][traces][neurons]
    Array<int32_t> y_at_y0_, x_at_y0_, fired_, part_, sum_[3];

    size_t at(int j, int i) const { return size_t(j) * stride_ + i; }
    const int32_t* exists(int j) const {
        return exists_.data() + (rule_->exists.empty() ? 0 : at(j, 0));
    }
    // Call step(register of targets) for all of them.
    template <class Step>
    void each_register(Step step) const {
        for (int i = 0; i < stride_; i += LANES) step(i);
    }
    static I within(I x, int32_t least, int32_t most) {
        return smaller(larger(x, all(least)), all(most));
    }
    int within(int64_t clock) const { return static_cast<int>((clock - 1) % rule_->epoch) + 1; }

    void resume(const uint64_t* from) {
        from++;
        for (Pcg64& random : random_) {
            random = Pcg64(from);
            random.kept = static_cast<uint32_t>(from[4]), random.has_kept = from[5];
            from += 6;
        }
        const auto* values = reinterpret_cast<const int32_t*>(from);
        for (Array<int32_t>& variable : variable_)
            for (int j = 0; j < sources_; j++, values += targets_)
                std::copy_n(values, targets_, variable.data() + at(j, 0));
        for (int j = 0; j < sources_; j++) note_low_tags(j);
    }

    void draw() {
        for (int k = 0; k < 2; k++) {
            decay_draw_[k] = random_[2 * k].uniform();
            impulse_draw_[k] = random_[2 * k + 1].below_128();
        }
    }

    void deliver(int j, int32_t payload, int32_t* current) const {
        if (!current) return;
        const int32_t* weight = variable_[0].data() + at(j, 0);
        if (in_order_)
            each_register([&](int i) { store(current + i, load<I>(current + i) + load<I>(weight + i) * payload); });
        else
            for (int i = 0; i < targets_; i++) current[place_[i]] += weight[i] * payload;
    }

    // Half a payload, rounded to even, as the 8 bits that Lava keeps of it.
    static int32_t halved(int32_t payload) {
        return static_cast<uint8_t>(static_cast<int64_t>(std::nearbyint(payload / 2.0)));
    }

    // A trace after a spike.
    int32_t risen(int32_t trace, int which, int drawn) const {
        const int32_t sum = trace + rule_->impulse[which] + (drawn < rule_->impulse_fraction[which]);
        return std::clamp(sum, 0, TRACE_TOP);
    }

    // Payloads that add up in x1. Lava: what is beyond 127 is looked for in all neurons.
    void add_payloads(const Spikes& from, int64_t sent, int now, int32_t* current) {
        std::vector<int32_t> added(sources_, 0);
        std::vector<uint8_t> spiked(sources_, 0);
        each_message(from, sent, [&](int row, int column, int32_t payload) {
            const int j = source_at_[size_t(row) * from_stride_ + column];
            deliver(j, payload, current);
            added[j] = halved(payload), spiked[j] = 1;
        });
        for (int j = 0; j < sources_; j++) {
            int32_t sum = (x_[j] + added[j]) & 255;
            bool counts = spiked[j];
            if (rule_->payload == LearningRule::ADD_SATURATING) sum = std::min(sum, TRACE_TOP);
            else if (sum > TRACE_TOP) sum -= TRACE_TOP;
            else counts = false;
            x_[j] = sum;
            if (!counts) continue;
            if (tx_[j] > 0) x_[sources_ + j] = risen(x_[sources_ + j], 1, 0);
            tx_[j] = now;
        }
    }

    void post(int row, int column, const Layout& layout, int now) {
        const int i = layout.flat(column) + row * layout.step_of_row();
        if (ty_[i] > 0)
            for (int k = 0; k < 3; k++)
                y_[k * stride_ + i] = risen(y_[k * stride_ + i], 2 + k, impulse_draw_[1]);
        ty_[i] = now;
    }

    // Traces at every step of the epoch. Lava: one draw for all steps and neurons, and a trace
    // without a time constant holds nothing but the step of its spike.
    void follow(const std::vector<int32_t>& traces, int first, int count, int neurons,
                const std::vector<int32_t>& spiked, int side, Array<int32_t>& history) {
        std::copy(traces.begin(), traces.end(), history.begin());
        for (int k = 0; k < count; k++) {
            int32_t next[TRACE_VALUES] = {};
            const int values = rule_->payload == LearningRule::IMPULSE ? TRACE_TOP + 1 : TRACE_VALUES;
            if (const double keep = rule_->keep[first + k]; keep > 0)
                for (int value = 0; value < values; value++) {
                    const double kept = keep * value, whole = std::floor(kept);
                    next[value] = int(whole) + (decay_draw_[side] < kept - whole);
                }
            for (int t = 1; t <= rule_->epoch; t++) {
                const int32_t* before = history.data() + (size_t(t - 1) * count + k) * neurons;
                int32_t* now = history.data() + (size_t(t) * count + k) * neurons;
                for (int n = 0; n < neurons; n++) {
                    now[n] = next[before[n] & (TRACE_VALUES - 1)];
                    if (spiked[n] == t) now[n] = risen(now[n], first + k, impulse_draw_[side]);
                }
            }
        }
    }

    void learn() {
        // Lava: one draw rounds all synapses, and all variables, of an epoch.
        const int drawn = static_cast<int>(random_[SYNAPTIC].uniform() * 128);
        follow(x_, 0, 2, sources_, tx_, 0, x_history_);
        follow(y_, 2, 3, stride_, ty_, 1, y_history_);
        const int last = rule_->epoch;
        std::copy_n(x_history_.end() - x_.size(), x_.size(), x_.begin());
        if (!rule_->three_factors) std::copy_n(y_history_.end() - y_.size(), y_.size(), y_.begin());
        bool anyone = false;
        for (int i = 0; i < targets_; i++) {
            fired_[i] = ty_[i] > 0;
            anyone |= fired_[i] != 0;
            for (int k = 0; k < 3; k++)
                y_at_y0_[k * stride_ + i] = y_history_[(size_t(ty_[i]) * 3 + k) * stride_ + i];
        }
        const bool epoch_counts =
            rule_->decimation >= 0 && (clock_ / last) % (int64_t(1) << rule_->decimation) == 0;
        for (int j = 0; j < sources_; j++) {
            const bool counts[] = {tx_[j] > 0, anyone, epoch_counts};
            bool changes = low_tag_[j];
            for (int k = 0; k < 3; k++) changes |= counts[k] && rule_->depends_on[k];
            if (changes) change(j, counts, drawn);
            updates_ += updated(j, counts);
        }
        std::fill(tx_.begin(), tx_.end(), 0), std::fill(ty_.begin(), ty_.end(), 0);
    }

    int64_t updated(int j, const bool* counts) const {
        if ((counts[0] && rule_->depends_on[0]) || (counts[2] && rule_->depends_on[2]))
            return synapses_of_[j];
        if (!counts[1] || !rule_->depends_on[1]) return 0;
        int64_t n = 0;
        const int32_t* there = exists(j);
        for (int i = 0; i < targets_; i++) n += fired_[i] & there[i];
        return n;
    }

    void change(int j, const bool* counts, int drawn) {
        for (const LearningRule::Equation& equation : rule_->equations) {
            int32_t* sum = sum_[equation.changes].data();
            const int32_t* own = variable_[equation.changes].data() + at(j, 0);
            each_register([&](int i) { store(sum + i, load<I>(own + i) << VARIABLE_SHIFT); });
            for (const LearningRule::Product& product : equation.products) {
                if (counts[product.dependency]) add(j, product, sum);
                else if (low_tag_[j])
                    for (int i = 0; i < targets_; i++) sum[i] = std::max(sum[i], SUM_LEAST);
            }
        }
        // All equations have seen the variables as they were.
        for (const LearningRule::Equation& equation : rule_->equations)
            write(j, equation.changes, drawn);
        note_low_tags(j);
    }

    void add(int j, const LearningRule::Product& product, int32_t* sum) {
        using R = LearningRule;
        const int time = product.dependency == R::ON_X0 ? tx_[j] : rule_->epoch;
        const bool on_y0 = product.dependency == R::ON_Y0;
        int32_t* part = part_.data();
        if (on_y0) std::copy(fired_.begin(), fired_.end(), part);
        else std::fill(part, part + stride_, 1);
        for (const R::Factor& factor : product.factors) {
            const int k = factor.variable;
            const int32_t* values = nullptr;
            int32_t one = 0;
            if (k == R::X1 || k == R::X2) {
                if (!on_y0) one = x_history_[(size_t(time) * 2 + k) * sources_ + j];
                else values = trace_at_y0(j, k);
            } else if (k <= R::Y3) {
                values = on_y0 ? y_at_y0_.data() + (k - R::Y1) * size_t(stride_)
                               : y_history_.data() + (size_t(time) * 3 + k - R::Y1) * stride_;
            } else if (k <= R::T) {
                values = variable_[k - R::W].data() + at(j, 0);
            } else if (k == R::X0) {
                one = tx_[j] > 0;
            } else {
                values = fired_.data();
            }
            const int32_t most = (1 << factor.bits) - 1, least = -(1 << factor.bits);
            const int32_t c = factor.constant;
            if (!values) {
                const int32_t value = std::clamp(one + c, least, most);
                each_register([&](int i) { store(part + i, load<I>(part + i) * value); });
            } else if (factor.sign_only) {
                each_register([&](int i) {
                    const I value = load<I>(values + i) + c;
                    store(part + i, load<I>(part + i) * ((value < 0) - (value > 0)));
                });
            } else {
                each_register([&](int i) {
                    store(part + i, load<I>(part + i) * within(load<I>(values + i) + c, least, most));
                });
            }
        }
        // Lava: shifted down by what the widths of its factors come to, be they used or not; so a
        // product of two traces is 1/8 of what the equation says.
        each_register([&](int i) {
            const I scaled = (load<I>(part + i) * product.mantissa >> product.shift) << product.exponent;
            const I one = within(scaled, SUM_LEAST, SUM_MOST);
            store(sum + i, within(load<I>(sum + i) + one, SUM_LEAST, SUM_MOST));
        });
    }

    // A trace of one source at the last spike of each target; where none was, any number.
    const int32_t* trace_at_y0(int j, int which) {
        const int32_t* first = x_history_.data() + size_t(which) * sources_ + j;
        const size_t step = 2 * size_t(sources_);
        constexpr int FEW = 8;  // times, which are picked faster than looked up
        if (rule_->epoch <= FEW)
            each_register([&](int i) {
                const I when = load<I>(ty_.data() + i);
                I picked = all(first[step]);
                for (int t = 2; t <= rule_->epoch; t++) picked = when == t ? all(first[t * step]) : picked;
                store(x_at_y0_.data() + i, picked);
            });
        else
            for (int i = 0; i < targets_; i++) x_at_y0_[i] = first[ty_[i] * step];
        return x_at_y0_.data();
    }

    void write(int j, int variable, int drawn) {
        int32_t least = -256, most = 255, low = SUM_LEAST, high = SUM_MOST;
        if (variable == 0 && rule_->sign == LearningRule::EXCITATORY) least = low = 0;
        if (variable == 0 && rule_->sign == LearningRule::INHIBITORY) least = -255, most = high = 0;
        if (variable == 1) least = low = 0;
        // Lava: a tag may be one less than its 9 bits hold, and does not stay there.
        if (variable == 2) least = -257;
        const int32_t *sum = sum_[variable].data(), *there = exists(j);
        int32_t* to = variable_[variable].data() + at(j, 0);
        each_register([&](int i) {
            const I value = within(load<I>(sum + i), low, high);
            const I rounded = (value >> VARIABLE_SHIFT) - ((value & 127) > drawn);
            store(to + i, within(rounded, least, most) & load<I>(there + i));
        });
    }

    // Tags that change even in an epoch in which nothing counts.
    void note_low_tags(int j) {
        const int32_t* tag = variable_[2].data() + at(j, 0);
        bool low = false;
        for (int i = 0; i < targets_; i++) low |= tag[i] < -256;
        low_tag_[j] = low;
    }
};

}  // namespace nd::ND_ISA
