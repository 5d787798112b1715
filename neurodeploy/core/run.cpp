// The core, compiled once for each instruction set: -DND_ISA=<its name> and the compiler's flags.
#include "sample.hpp"
#include <atomic>
#include <barrier>
#include <exception>
#include <thread>

namespace nd::ND_ISA {
namespace {

constexpr int64_t WINDOW_BYTES = 1 << 21;  // messages of one window should stay in a core's cache
constexpr int64_t SHORTEST_WINDOW = 8;
constexpr int64_t GROUP_BYTES = 1 << 18;  // messages of samples that run together, beside weights
constexpr int64_t LARGEST_GROUP = 8;

// Of the messages of a step.
int64_t bytes_of_step(const Layers& layers, const std::vector<uint8_t>& graded) {
    int64_t bytes = 1;
    for (size_t i = 0; i < layers.members.size(); i++) {
        const Member& m = layers.members[i];
        bytes += int64_t(m.layout.rows) * (m.layout.words + 1) * (m.listed ? 20 : 8);
        if (graded[i]) bytes += 4 * int64_t(m.layout.padded());
    }
    return bytes;
}

// Steps that all populations run before any runs further.
int64_t window_of(const Layers& layers, const std::vector<uint8_t>& graded, int64_t steps,
                  int64_t most) {
    const int64_t fitting =
        std::max(SHORTEST_WINDOW, WINDOW_BYTES / bytes_of_step(layers, graded));
    return std::max<int64_t>(1, std::min({steps, fitting, most}));
}

// Threads that take turns at numbered pieces of work; all wait until the last is done.
class Turns {
    struct Restart {
        std::atomic<int>* next;
        void operator()() const noexcept { next->store(0); }
    };
    std::atomic<int> next_{0};
    std::barrier<Restart> barrier_;

public:
    explicit Turns(int threads) : barrier_(threads, Restart{&next_}) {}

    template <class Work>
    void share(int pieces, Work work) {
        for (int k; (k = next_++) < pieces;) work(k);
        barrier_.arrive_and_wait();
    }
    // Leave the others to it: this thread failed.
    void leave() { barrier_.arrive_and_drop(); }
};

// Alone, nobody waits.
struct NoTurns {
    template <class Work>
    void share(int pieces, Work work) {
        for (int k = 0; k < pieces; k++) work(k);
    }
};

// Run all populations of some samples over the steps t0..t1. Samples take turns within a tile,
// whose weights then stay in a core's cache.
template <class Sharing>
void run_window(const Layers& layers, const std::vector<Sample*>& samples, int64_t t0, int64_t t1,
                Sharing& turns, Scratch& scratch) {
    const auto& members = layers.members;
    const int count = static_cast<int>(members.size());
    for (int first = 0; first < count;) {
        int last = first + 1;  // of a cycle, or one population
        while (members[first].cycle >= 0 && last < count &&
               members[last].cycle == members[first].cycle)
            last++;
        if (members[first].cycle < 0) {
            turns.share(static_cast<int>(members[first].tiles.size()), [&](int k) {
                for (Sample* sample : samples) {
                    if (k == 0) sample->take_messages(first, t0, t1);
                    sample->run_tile(first, members[first].tiles[k], t0, t1, scratch);
                }
            });
        } else {
            turns.share(1, [&](int) {
                for (Sample* sample : samples)
                    for (int64_t t = t0; t < t1; t++)
                        for (int i = first; i < last; i++) {
                            for (const Tile& tile : members[i].tiles)
                                sample->run_tile(i, tile, t, t + 1, scratch);
                            for (int row = 0; row < members[i].layout.rows; row++)
                                sample->list_row(i, row, t, t + 1);
                        }
            });
        }
        for (int i = first; i < last; i++)
            turns.share(members[i].layout.rows, [&](int row) {
                for (Sample* sample : samples) {
                    if (members[i].cycle < 0) sample->list_row(i, row, t0, t1);
                    sample->count(i, row, t0, t1, scratch);
                    if (row == 0) sample->gather(i, t0, t1);
                }
            });
        first = last;
    }
}

// A sample and what its thread needs, kept from run to run: fresh memory costs a page fault each.
struct Workplace {
    Sample sample;
    Scratch scratch;
    std::vector<uint8_t> graded;
    int64_t steps = 0, window = 0;
};

class Runner final : public Packed {
public:
    explicit Runner(const Network& network) : layers(network) {}

    void run(Run& run) override {
        std::vector<uint8_t> graded(layers.members.size());
        for (size_t i = 0; i < graded.size(); i++) {
            const Member& m = layers.members[i];
            graded[i] = m.graded;
            if (run.given[i].step_counts) graded[i] = run.given[i].payload != nullptr;
            else if (int(i) == run.input && run.values && run.binary && m.model->kind == "relay") graded[i] = 0;
        }
        layers.prepare(graded);
        run.has_payloads = graded;
        run.messages.assign(graded.size(), {});
        for (size_t i = 0; i < graded.size(); i++)
            if (run.wanted[i]) run.messages[i].resize(run.samples);
        const int64_t window = window_of(layers, graded, run.steps, run.window);
        run.given_starts.assign(graded.size(), {});
        for (size_t i = 0; i < graded.size(); i++)
            if (run.given[i].step_counts) run.given_starts[i] = starts_of(run.given[i], run);
        if (run.threads <= 1 || run.samples >= run.threads) run_samples(run, graded, window);
        else
            for (int64_t s = 0; s < run.samples; s++) run_tiles(run, graded, window, s);
    }

    Layers layers;

private:
    std::mutex choosing_;
    std::vector<std::unique_ptr<Workplace>> idle_;

    std::unique_ptr<Workplace> workplace(const std::vector<uint8_t>& graded, int64_t steps,
                                         int64_t window) {
        std::unique_ptr<Workplace> work;
        {
            const std::lock_guard<std::mutex> held(choosing_);
            if (!idle_.empty()) work = std::move(idle_.back()), idle_.pop_back();
        }
        if (!work) work = std::make_unique<Workplace>();
        // Whether all steps are one window makes a difference; how many they are else, none.
        const bool same = work->graded == graded && work->window == window &&
                          (work->steps > window) == (steps > window) && work->steps;
        if (!same) work->sample.prepare(layers, graded, steps, window);
        work->graded = graded, work->steps = steps, work->window = window;
        return work;
    }

    void leave(std::unique_ptr<Workplace> work) {
        const std::lock_guard<std::mutex> held(choosing_);
        idle_.push_back(std::move(work));
    }

    static std::vector<int64_t> starts_of(const Given& given, const Run& run) {
        std::vector<int64_t> starts{0};
        for (int64_t s = 0; s < run.samples; s++) {
            int64_t n = starts.back();
            for (int64_t t = 0; t < run.steps; t++) n += given.step_counts[s * run.steps + t];
            starts.push_back(n);
        }
        return starts;
    }

    void point(Sample& sample, Run& run, int64_t s) const {
        const size_t count = layers.members.size();
        const size_t step_bytes = size_t(layers.members[run.input].layout.size()) * run.item;
        const size_t of_sample = (run.held ? 1 : run.given_steps) * step_bytes;
        sample.presented = {};
        sample.input = run.input;
        if (run.values)
            sample.presented = {static_cast<const char*>(run.values) + s * of_sample, run.item,
                                run.held ? 0 : step_bytes, run.given_steps};
        for (size_t i = 0; i < count; i++) {
            const size_t size = layers.members[i].layout.size(), steps = s * run.steps;
            auto moved = [](auto* from, size_t by) { return from ? from + by : nullptr; };
            Results& to = sample.results[i];
            to.step_counts = moved(run.step_counts[i], steps);
            to.counts = moved(run.counts[i], s * size * run.count_item);
            to.count_item = run.count_item;
            for (int k = 0; k < 3; k++)
                to.overflows[k] = moved(run.overflows[i], k * run.samples + s);
            to.states = run.states[i], to.first_state = steps * size;
            to.fired = moved(run.fired[i], steps * size);
            to.messages = run.wanted[i] ? &run.messages[i][s] : nullptr;
            sample.resets[i] = run.resets[i];
            sample.given[i] = {};
            if (run.given[i].step_counts)
                sample.given[i] = {run.given[i].step_counts + steps, run.given[i].neuron,
                                   run.given[i].payload, run.given_starts[i][s]};
        }
    }

    void point_learning(Sample& sample, const Run& run, int64_t s) const {
        for (size_t k = 0; k < sample.learned.size(); k++) {
            const Learned& how = *layers.learners[k];
            const int64_t synapses = int64_t(how.from.size()) * how.to.size();
            const int64_t epochs = run.steps / how.rule->epoch;
            Run::Learned& to = sample.learned[k] = run.learned.empty() ? Run::Learned{} : run.learned[k];
            for (int v = 0; v < 3; v++) {
                if (to.after[v]) to.after[v] += s * synapses;
                if (to.epochs[v]) to.epochs[v] += s * epochs * synapses;
            }
            if (to.x) to.x += s * epochs * 2 * how.from.size();
            if (to.y) to.y += s * epochs * 3 * how.to.size();
            if (to.updates) to.updates += s;
        }
    }

    // Run `body` on some threads; what one throws is thrown here, after `leave`.
    template <class Body, class Leave>
    static void on_threads(int threads, Body body, Leave leave) {
        std::exception_ptr failure;
        std::mutex failing;
        auto guarded = [&] {
            try {
                body();
            } catch (...) {
                const std::lock_guard<std::mutex> held(failing);
                failure = std::current_exception();
                leave();
            }
        };
        std::vector<std::thread> team;
        for (int k = 1; k < threads; k++) team.emplace_back(guarded);
        guarded();
        for (auto& thread : team) thread.join();
        if (failure) std::rethrow_exception(failure);
    }

    void run_samples(Run& run, const std::vector<uint8_t>& graded, int64_t window) {
        const int64_t threads = std::max<int64_t>(1, std::min<int64_t>(run.threads, run.samples));
        const int64_t fitting = GROUP_BYTES / (window * bytes_of_step(layers, graded));
        const int64_t of_thread = (run.samples + threads - 1) / threads;
        const int64_t most = std::max<int64_t>(1, std::min({fitting, of_thread, LARGEST_GROUP}));
        // A sample that learns may begin with what the one before it has learned in the end.
        const int64_t group = layers.learners.empty() ? most : 1;
        std::atomic<int64_t> next{0};
        on_threads(static_cast<int>(threads), [&] {
            std::vector<std::unique_ptr<Workplace>> work;
            for (int64_t k = 0; k < group; k++) work.push_back(workplace(graded, run.steps, window));
            NoTurns alone;
            for (int64_t s; (s = next.fetch_add(group)) < run.samples;) {
                std::vector<Sample*> samples;
                for (int64_t k = 0; k < group && s + k < run.samples; k++) {
                    samples.push_back(&work[k]->sample);
                    point(*samples[k], run, s + k);
                    point_learning(*samples[k], run, s + k);
                    samples[k]->begin();
                }
                for (int64_t t = 0; t < run.steps; t += window)
                    run_window(layers, samples, t, std::min(t + window, run.steps), alone,
                               work[0]->scratch);
                for (Sample* sample : samples) sample->finish_learning(run.steps);
            }
            for (auto& own : work) leave(std::move(own));
        }, [&] { next = run.samples; });
    }

    // All threads on one sample: tiles of each population in turn.
    void run_tiles(Run& run, const std::vector<uint8_t>& graded, int64_t window, int64_t s) {
        auto work = workplace(graded, run.steps, window);
        Sample& sample = work->sample;
        point(sample, run, s);
        point_learning(sample, run, s);
        sample.begin();
        const std::vector<Sample*> samples{&sample};
        Turns turns(run.threads);
        on_threads(run.threads, [&] {
            Scratch scratch;
            for (int64_t t = 0; t < run.steps; t += window)
                run_window(layers, samples, t, std::min(t + window, run.steps), turns, scratch);
        }, [&] { turns.leave(); });
        sample.finish_learning(run.steps);
        leave(std::move(work));
    }
};

// One sample without an end, one step at a time.
class StepByStep final : public Stream {
public:
    StepByStep(Runner& runner, int input, int output, bool gated)
        : layers_(runner.layers), output_(output), gated_(gated) {
        sample_.input = input;
        for (const Member& m : layers_.members) graded_.push_back(m.graded);
        layers_.prepare(graded_);
        fan_outs_.resize(layers_.members.size());
        begin();
    }

    void begin() override {
        sample_.prepare(layers_, graded_, INT64_MAX, 1);
        sample_.begin();
        if (gated_) std::fill(sample_.early.begin(), sample_.early.end(), 1);
        clock_ = 0;
    }

    void count(int population, const int64_t* fan_out) override {
        fan_outs_[population].assign(fan_out, fan_out + layers_.members[population].layout.size());
    }

    void step(const int32_t* values, int32_t* out, int32_t* messages, int64_t* synops) override {
        sample_.presented = {reinterpret_cast<const char*>(values), 4, 0, INT64_MAX};
        run_window(layers_, samples_, clock_, clock_ + 1, alone_, scratch_);
        const Spikes& sent = sample_.sent(output_);
        std::memset(out, 0, 4 * size_t(layers_.members[output_].layout.size()));
        each_sent(output_, [&](int row, int column, int flat) {
            out[flat] = sent.graded ? sent.payload_at(row, clock_)[column] : 1;
        });
        int64_t reached = 0;
        for (size_t i = 0; i < layers_.members.size(); i++) {
            messages[i] = 0;
            for (int row = 0; row < layers_.members[i].layout.rows; row++)
                messages[i] += sample_.sent(i).sent_by(row, clock_);
            if (const auto& fan_out = fan_outs_[i]; !fan_out.empty())
                each_sent(i, [&](int, int, int flat) { reached += fan_out[flat]; });
        }
        *synops = reached;
        clock_++;
    }

    void learned(int number, int16_t* const* to) override {
        // The last step is learned from when the next begins: here by a sample that looks ahead.
        if (clock_ > 0) {
            Sample ahead = sample_;
            ahead.finish_learning(clock_);
            for (int v = 0; v < 3; v++) ahead.learners[number].copy(v, to[v]);
            return;
        }
        for (int v = 0; v < 3; v++) sample_.learners[number].copy(v, to[v]);
    }

private:
    // Calls f(row, column, place in C, H, W order) for each neuron that sends in this step.
    template <class F>
    void each_sent(size_t population, F f) {
        const Member& m = layers_.members[population];
        for (int row = 0; row < m.layout.rows; row++) {
            const uint64_t* bits = sample_.sent(population).bits_at(row, clock_);
            const int first = row * m.layout.step_of_row();
            for (int w = 0; w < m.layout.words; w++)
                for (uint64_t word = bits[w]; word; word &= word - 1) {
                    const int column = 64 * w + __builtin_ctzll(word);
                    f(row, column, m.flat_of_column[column] + first);
                }
        }
    }

    Layers& layers_;
    int output_;
    bool gated_;
    std::vector<uint8_t> graded_;
    std::vector<std::vector<int64_t>> fan_outs_;  // empty where nothing is counted
    Sample sample_;
    const std::vector<Sample*> samples_{&sample_};
    Scratch scratch_;
    NoTurns alone_;
    int64_t clock_ = 0;
};

std::unique_ptr<Packed> pack(const Network& network) { return std::make_unique<Runner>(network); }

std::unique_ptr<Stream> stream(Packed& packed, int input, int output, bool gated) {
    return std::make_unique<StepByStep>(static_cast<Runner&>(packed), input, output,
                                        gated);
}

const char* describe(const char* kind) {
    const NeuronModel* model = find_model(kind);
    if (!model) return nullptr;
    thread_local std::string text;
    text = std::string(model->parameters) + ";" + std::string(model->options) + ";" +
           std::string(model->state_names);
    return text.c_str();
}

}  // namespace

#define ND_TEXT(name) #name
#define ND_NAME(name) ND_TEXT(name)
extern const Floats FLOATS;
extern const Unit UNIT;
const Unit UNIT{ND_NAME(ND_ISA), pack, stream, describe, &FLOATS};
}  // namespace nd::ND_ISA
