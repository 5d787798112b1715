// Every neuron model. A new one is a file in neurons/, its include and its line here.
#pragma once
#include "neurons/alif.hpp"
#include "neurons/cuba.hpp"
#include "neurons/cuba_adaptive.hpp"
#include "neurons/general.hpp"
#include "neurons/modulated.hpp"
#include "neurons/resonate.hpp"
#include "neurons/sigma_delta.hpp"
#include "neurons/ternary.hpp"
#include "neurons/threshold.hpp"

namespace nd::ND_ISA {

inline constexpr const NeuronModel* NEURON_MODELS[] = {
    &MODEL_AdaptiveCubaLif,
    &MODEL_Alif,
    &MODEL_CubaLif,
    &MODEL_CubaLifOfInput,
    &MODEL_GeneralCubaLif,
    &MODEL_LeakyIntegrator,
    &MODEL_ModulatedLif,
    &MODEL_ResonateFire,
    &MODEL_ResonateFireIzhikevich,
    &MODEL_ResonateFireZero,
    &MODEL_AdaptiveResonateFire,
    &MODEL_AdaptiveResonateFireIzhikevich,
    &MODEL_Delta,
    &MODEL_SigmaDelta,
    &MODEL_Sigma,
    &MODEL_TernaryLif,
    &MODEL_Threshold,
    &MODEL_GradedThreshold,
    &MODEL_Product,
    &MODEL_Relay,
};

}  // namespace nd::ND_ISA
