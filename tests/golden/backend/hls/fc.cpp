// Unit fc: MatMul_0, MultiThreshold_0
#include "dfc_mvtu.hpp"
#include "dfc_top.hpp"
#include "dense.hpp"
#include "parameters.hpp"

namespace {

// 4 words of 120 bits
#if defined(__SYNTHESIS__) || defined(DFC_LITERALS)
#define DFC_WORD(A0, A1) ap_uint<120>("0x" #A0 #A1, 16)
const ap_uint<120> fc_weights[4] = {
#include "memory/fc_weights.inc"
};
#else
#define DFC_WORD(A0, A1) {0x##A0##ull, 0x##A1##ull}
const std::uint64_t fc_weights_limbs[4][2] = {
#include "memory/fc_weights.inc"
};
const dfc::Rom<120, 4> fc_weights_rom(fc_weights_limbs);
const ap_uint<120> (&fc_weights)[4] = fc_weights_rom.words;
#endif
#undef DFC_WORD

// 16 words of 7 bits
#if defined(__SYNTHESIS__) || defined(DFC_LITERALS)
#define DFC_WORD(A) 0x##A##ull
const ap_uint<7> fc_thresholds[16] = {
#include "memory/fc_thresholds.inc"
};
#else
#define DFC_WORD(A) {0x##A##ull}
const std::uint64_t fc_thresholds_limbs[16][1] = {
#include "memory/fc_thresholds.inc"
};
const dfc::Rom<7, 16> fc_thresholds_rom(fc_thresholds_limbs);
const ap_uint<7> (&fc_thresholds)[16] = fc_thresholds_rom.words;
#endif
#undef DFC_WORD

}  // namespace

void fc(hls::stream<ap_uint<60>>& in, hls::stream<ap_uint<4>>& out, dfc::frames_t frames) {
  dfc::mvtu<fc_parameters::Vectors, fc_parameters::Groups, fc_parameters::Mh, fc_parameters::Mw, fc_parameters::Pe, fc_parameters::Simd, fc_parameters::Run, fc_parameters::InBits, fc_parameters::InSigned, fc_parameters::InBipolar, fc_parameters::WeightBits, fc_parameters::WeightSigned, fc_parameters::Xnor, fc_parameters::AccBits, fc_parameters::AccSigned, fc_parameters::ThreshBits, fc_parameters::ThreshFactorBits, fc_parameters::ThreshShift, fc_parameters::ThreshShared, fc_parameters::Flip, fc_parameters::OutBits, fc_parameters::OutSigned, fc_parameters::Double, fc_parameters::Arithmetic, fc_parameters::WeightsStyle, fc_parameters::ThresholdsStyle, fc_parameters::Slots>(in, out, fc_weights, fc_thresholds, frames);
}
