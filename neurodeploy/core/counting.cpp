// What messages add up to on a chip: a matrix of [neurons, columns], mostly empty, that counts are
// multiplied with, sample by sample. Columns are cores, links and totals; the numbers are whole and
// below 2^53, so no order of adding changes a sum.
#include <cstdint>
#include <vector>

#include "exported.hpp"

namespace {
template <class T>
void tally(const T* counts, int64_t samples, int64_t neurons, const int32_t* cell_of, int64_t cells,
           const int64_t* starts, const int32_t* column, const double* weight, int64_t columns,
           double* out) {
    std::vector<T> sums(cells);
    for (int64_t s = 0; s < samples; s++, counts += neurons, out += columns) {
        sums.assign(cells, 0);
        for (int64_t n = 0; n < neurons; n++) sums[cell_of[n]] += counts[n];
        for (int64_t k = 0; k < cells; k++) {
            if (sums[k] == 0) continue;
            const double sum = static_cast<double>(sums[k]);
            for (int64_t i = starts[k]; i < starts[k + 1]; i++) out[column[i]] += sum * weight[i];
        }
    }
}
}  // namespace

// Messages of each neuron, [samples][neurons], int64 or (`floating`) float64, to [samples][columns],
// which is added to. Neurons of a cell are alike: entries starts[k] to starts[k + 1] are cell k's.
API void nd_tally(const void* counts, int floating, int64_t samples, int64_t neurons,
                  const int32_t* cell_of, int64_t cells, const int64_t* starts,
                  const int32_t* column, const double* weight, int64_t columns, double* out) {
    if (floating)
        tally(static_cast<const double*>(counts), samples, neurons, cell_of, cells, starts, column,
              weight, columns, out);
    else
        tally(static_cast<const int64_t*>(counts), samples, neurons, cell_of, cells, starts, column,
              weight, columns, out);
}
