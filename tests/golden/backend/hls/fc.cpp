// Unit fc: MatMul_0, MultiThreshold_0
#include "dfc_mvtu.hpp"
#include "dfc_top.hpp"
#include "dense.hpp"
#include "parameters.hpp"

namespace {

// 4 words of 120 bits
const dfc::Rom<1, 4, 120> fc_weights = {{
#include "memory/fc_weights.inc"
}};

// 2 words of 7 bits for each of 2 lanes
const dfc::Rom<2, 2, 7> fc_thresholds_0 = {{
#include "memory/fc_thresholds_0.inc"
}};

// 2 words of 7 bits for each of 2 lanes
const dfc::Rom<2, 2, 7> fc_thresholds_1 = {{
#include "memory/fc_thresholds_1.inc"
}};

// 4 words of 7 bits for each of 2 lanes
const dfc::Rom<2, 4, 7> fc_thresholds_2 = {{
#include "memory/fc_thresholds_2.inc"
}};

}  // namespace

void fc(hls::stream<ap_uint<60>>& in, hls::stream<ap_uint<4>>& out, dfc::frames_t frames) {
  DFC_LIMBS(fc_weights)
  DFC_BANKS(fc_thresholds_0)
  DFC_BANKS(fc_thresholds_1)
  DFC_BANKS(fc_thresholds_2)
  dfc::mvtu<fc_parameters::Vectors, fc_parameters::Groups, fc_parameters::Mh, fc_parameters::Mw, fc_parameters::Pe, fc_parameters::Simd, fc_parameters::Run, fc_parameters::InBits, fc_parameters::InSigned, fc_parameters::InBipolar, fc_parameters::WeightBits, fc_parameters::WeightSigned, fc_parameters::Xnor, fc_parameters::AccBits, fc_parameters::AccSigned, fc_parameters::ThreshBits, fc_parameters::ThreshFactorBits, fc_parameters::ThreshShift, fc_parameters::ThreshShared, fc_parameters::Flip, fc_parameters::OutBits, fc_parameters::OutSigned, fc_parameters::Double, fc_parameters::Arithmetic, fc_parameters::WeightsStyle, fc_parameters::ThresholdsStyle>(in, out, frames, fc_weights, fc_thresholds_0, fc_thresholds_1, fc_thresholds_2);
}
