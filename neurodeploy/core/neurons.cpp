// All neuron models, compiled once for each instruction set; by themselves, so that compilers work
// side by side.
#include "neurons.hpp"

namespace nd::ND_ISA {

const NeuronModel* find_model(std::string_view kind) {
    for (const NeuronModel* model : NEURON_MODELS)
        if (model->kind == kind) return model;
    return nullptr;
}

}  // namespace nd::ND_ISA
