// Which of the instruction sets that were compiled this machine has, lowest first, and the unit of
// each. build.py names them: -DND_UNITS="X(x86_64_v2)X(x86_64_v3)".
#include "network.hpp"

extern "C" const char* nd_processor();

namespace nd {
#define X(name) namespace name { extern const Unit UNIT; }
ND_UNITS
#undef X

namespace {
constexpr const Unit* COMPILED[] = {
#define X(name) &name::UNIT,
    ND_UNITS
#undef X
};

std::vector<const Unit*> find_units() {
    const std::string here = nd_processor();
    if (here.empty()) throw Unsupported("this processor is older than x86-64-v2 (2009)");
    std::vector<const Unit*> found;
    for (const Unit* unit : COMPILED)
        if (here.find(unit->name) != std::string::npos) found.push_back(unit);
    if (found.empty())
        throw Unsupported("the core was compiled for " + std::string(COMPILED[0]->name) +
                          " and more; this processor has " + here);
    return found;
}

const std::vector<const Unit*>& available() {
    static const std::vector<const Unit*> found = find_units();
    return found;
}
}  // namespace

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
