// Which instruction sets this machine has, lowest first, and the unit of each.
#include "network.hpp"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace nd {

#if defined(__x86_64__)
namespace x86_64_v2 { extern const Unit UNIT; }
namespace x86_64_v3 { extern const Unit UNIT; }
namespace x86_64_v4 { extern const Unit UNIT; }

namespace {
// Not __builtin_cpu_supports: in what Zig builds it answers no to everything.
struct Cpu {
    unsigned basic_c = 0, extended_b = 0, features_c = 0;
    unsigned saved = 0;  // registers that the operating system keeps for a process

    Cpu() {
        unsigned a, b, c, d;
        if (!__get_cpuid(1, &a, &b, &c, &d)) return;
        basic_c = c;
        if (c & bit_OSXSAVE) __asm__("xgetbv" : "=a"(saved), "=d"(d) : "c"(0));
        if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) extended_b = b;
        if (__get_cpuid(0x80000001, &a, &b, &c, &d)) features_c = c;
    }
    static bool has(unsigned bits, unsigned needed) { return (bits & needed) == needed; }

    bool v2() const {
        return has(basic_c, bit_SSE3 | bit_SSSE3 | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT);
    }
    bool v3() const {
        constexpr unsigned YMM = 0x6, LZCNT = 1 << 5;
        return v2() && has(saved, YMM) && has(features_c, LZCNT) &&
               has(basic_c, bit_AVX | bit_FMA | bit_MOVBE | bit_F16C) &&
               has(extended_b, bit_AVX2 | bit_BMI | bit_BMI2);
    }
    bool v4() const {
#if defined(ND_EMULATE_V4)
        return true;
#endif
        constexpr unsigned ZMM = 0xe6;
        return v3() && has(saved, ZMM) &&
               has(extended_b,
                   bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL);
    }
};

std::vector<const Unit*> find_units() {
    const Cpu cpu;
    std::vector<const Unit*> found;
    if (cpu.v2()) found.push_back(&x86_64_v2::UNIT);
    if (cpu.v3()) found.push_back(&x86_64_v3::UNIT);
    if (cpu.v4()) found.push_back(&x86_64_v4::UNIT);
    if (found.empty()) throw Unsupported("this processor is older than x86-64-v2 (2009)");
    return found;
}

// Asked once: in a virtual machine, CPUID takes microseconds.
const std::vector<const Unit*>& available() {
    static const std::vector<const Unit*> found = find_units();
    return found;
}
}  // namespace

#elif defined(__aarch64__)
namespace neon { extern const Unit UNIT; }
namespace {
std::vector<const Unit*> available() { return {&neon::UNIT}; }
}  // namespace
#else
#error "the core knows x86-64 and aarch64"
#endif

std::vector<std::string> units() {
    std::vector<std::string> names;
    for (const Unit* unit : available()) names.push_back(unit->name);
    return names;
}

const Unit& unit_of(const char* name) {
    const auto& found = available();
    if (!*name) return *found.back();
    std::string known;
    for (const Unit* unit : found) {
        if (std::string(unit->name) == name) return *unit;
        known += (known.empty() ? "" : ", ") + std::string(unit->name);
    }
    throw Unsupported("this machine has no instruction set '" + std::string(name) + "'; it has " + known);
}
}  // namespace nd
