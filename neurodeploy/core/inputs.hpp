// What is presented: values [C][H][W] of one step, read into the core's rows.
#pragma once
#include "spikes.hpp"

namespace nd::ND_ISA {

// Values of one type, in one step.
template <class T>
struct Values {
    const T* at;

    // Columns first..first+n of a row, each given to `put(column - first, value)`.
    template <class Put>
    void each(const Layout& layout, int row, int first, int n, Put put) const {
        if (!layout.image || layout.width == 1) {
            const bool line = !layout.image || layout.height == 1;
            const T* from = at + (layout.image ? row : size_t(row) * layout.row);
            const size_t step = line ? 1 : layout.height;
            if (line) for (int j = 0; j < n; j++) put(j, from[first + j]);
            else for (int j = 0; j < n; j++) put(j, from[(first + j) * step]);
            return;
        }
        // Images are read as whole rows.
        const size_t plane = size_t(layout.height) * layout.width;
        const T* from = at + size_t(row) * layout.width;
        switch (layout.channels) {
            case 1: return pixels<1>(layout, from, plane, put);
            case 2: return pixels<2>(layout, from, plane, put);
            case 3: return pixels<3>(layout, from, plane, put);
            default: return pixels<0>(layout, from, plane, put);
        }
    }

    // A fixed number of channels lets a compiler turn the planes into pixels by shuffles.
    template <int CHANNELS, class Put>
    static void pixels(const Layout& layout, const T* from, size_t plane, Put put) {
        const int channels = CHANNELS ? CHANNELS : layout.channels;
        if constexpr (CHANNELS != 0) {
            for (int x = 0; x < layout.width; x++)
                for (int c = 0; c < CHANNELS; c++) put(x * CHANNELS + c, from[c * plane + x]);
        } else {
            for (int c = 0; c < channels; c++)
                for (int x = 0; x < layout.width; x++) put(x * channels + c, from[c * plane + x]);
        }
    }
};

// Whether neurons lie in rows as they do outside.
inline bool in_order(const Layout& layout) {
    return !layout.image || layout.height * layout.width == 1;
}

template <class T>
void read_currents(const T* values, const Layout& layout, int row, int first, int n, int32_t* to) {
    if (in_order(layout)) std::copy_n(values + size_t(row) * layout.row + first, n, to);
    else Values<T>{values}.each(layout, row, first, n, [&](int j, T value) { to[j] = value; });
}

// Bits of the values of a whole row that are not 0; `flags` has room for a byte for each.
template <class T>
void read_spikes(const T* values, const Layout& layout, int row, uint64_t* bits, uint8_t* flags) {
    const int n = layout.neurons_in(row);
    const bool contiguous = in_order(layout);
    const T* from = values + (contiguous ? size_t(row) * layout.row : 0);
    if (contiguous && sizeof(T) == 1 && n >= 64) {
        const auto* bytes = reinterpret_cast<const uint8_t*>(from);
        const int rest = n % 64;
        for (int w = 0; w < n / 64; w++) bits[w] = bits_of_bytes(bytes + 64 * w);
        // The last word's bytes are the last of the 64 that end with the row.
        if (rest) bits[n / 64] = bits_of_bytes(bytes + n - 64) >> (64 - rest);
        return;
    }
    for (int w = 0; w < layout.words; w++) bits[w] = 0;
    if (contiguous) {
        int j = 0;
        for (; sizeof(T) == 4 && j + LANES <= n; j += LANES)
            bits[j / 64] |= bits_of(load<I>(from + j) != 0) << (j & 63);
        for (; j < n; j++) bits[j / 64] |= uint64_t(from[j] != 0) << (j & 63);
        return;
    }
    std::memset(flags, 0, size_t(layout.stride()));
    Values<T>{values}.each(layout, row, 0, n, [&](int j, T value) { flags[j] = value != 0; });
    for (int w = 0; w < layout.words; w++) bits[w] = bits_of_bytes(flags + 64 * w);
}

}  // namespace nd::ND_ISA
