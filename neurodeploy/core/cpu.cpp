// Which instruction sets this processor has. Also compiled by itself, as a program that prints them:
// so build.py learns which of them to compile.
#include "exported.hpp"
#if defined(__x86_64__)
#include <cpuid.h>

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

const char* levels() {
    const Cpu cpu;
    if (cpu.v4()) return "x86_64_v2,x86_64_v3,x86_64_v4";
    if (cpu.v3()) return "x86_64_v2,x86_64_v3";
    return cpu.v2() ? "x86_64_v2" : "";
}
}  // namespace
#elif defined(__aarch64__)
namespace {
const char* levels() { return "neon"; }
}  // namespace
#else
#error "the core knows x86-64 and aarch64"
#endif

// Their names, lowest first, separated by commas.
API const char* nd_processor() {
    static const char* const found = levels();  // asked once: in a virtual machine it takes microseconds
    return found;
}

#if defined(ND_PROGRAM)
#include <stdio.h>
int main() { return puts(nd_processor()) < 0; }
#endif
