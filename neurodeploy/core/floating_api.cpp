// The C interface of float networks; all of it gives 0, or -1 where memory does not suffice.
#include "exported.hpp"
#include "floating.hpp"
#include "network.hpp"

using namespace nd;

namespace {
template <class Body>
int guarded(const char* unit, Body body) {
    try {
        body(*unit_of(unit).floats);
        return 0;
    } catch (const std::exception&) {
        return -1;
    }
}
}  // namespace

API int nd_float_dense(const char* unit, const Rows* rows, const float* panels) {
    return guarded(unit, [&](const Floats& floats) { floats.dense(*rows, panels); });
}

API int nd_float_windows(const char* unit, const Rows* rows, const Windows* windows) {
    return guarded(unit, [&](const Floats& floats) { floats.windows(*rows, *windows); });
}

API int nd_float_listed(const char* unit, const Rows* rows, const int64_t* starts,
                        const int32_t* source, const float* weight) {
    return guarded(unit, [&](const Floats& floats) { floats.listed(*rows, starts, source, weight); });
}

API int nd_float_step(const char* unit, const FloatLIF* neurons) {
    return guarded(unit, [&](const Floats& floats) { floats.step(*neurons); });
}
