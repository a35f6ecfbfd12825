// Vector-vector-threshold unit: each of Channels outputs from its own Taps inputs at each of Vectors positions.
// The last fold of channels may hold dummies.
// One call moves `frames` frames: of each, Vectors * folds * Taps iterations of one loop at II = 1.
#pragma once

#include "dfc_arithmetic.hpp"

namespace dfc {

// Thresholds: none, where the outputs are the sums, or the banks of `Codes`.
template <int Vectors, int Channels, int Taps, int Pe, int InBits, int InSigned, int InBipolar, int WeightBits, int WeightSigned,
          int Xnor, int AccBits, int AccSigned, int ThreshBits, int ThreshFactorBits, int ThreshShift, int ThreshShared, int Flip, int OutBits,
          int OutSigned, int Double, int Arithmetic, int WeightsStyle, int ThresholdsStyle, class... Thresholds>
void vvtu(hls::stream<ap_uint<Pe * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out, frames_t frames,
          const Rom<1, ceil_div(Channels, Pe) * Taps, Pe * WeightBits>& weights, const Thresholds&... thresholds) {
  DFC_INLINE
  static_assert(Pe <= Channels, "dfc::vvtu: there are at most Channels lanes");
  constexpr int Folds = ceil_div(Channels, Pe);
  using P = Product<InBits, InSigned, InBipolar, WeightBits, WeightSigned, Xnor, Arithmetic>;
  using Acc = integer<AccBits, AccSigned != 0>;
  using Code = Codes<Folds, AccBits, AccSigned, ThreshBits, ThreshFactorBits, ThreshShift, ThreshShared, Flip, OutBits, OutSigned, Double,
                     Taps, ThresholdsStyle>;
  Storage<WeightsStyle>::rom(weights);
  bind_banks<ThresholdsStyle>(thresholds...);

  // Carried, and why II = 1: `acc`, one addition, in registers of its lane; counters, each one increment of its own width.
  Acc acc[Pe];
  DFC_PARTITION(acc)
  Counter<Taps> tap;
  Counter<Folds> fold;
  Counter<Folds * Taps> word;
  for (FrameSteps<long(Vectors) * Folds * Taps> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const ap_uint<Pe * InBits> inputs = in.read();
    ap_uint<Pe * OutBits> results = 0;
    for (int p = 0; p < Pe; p++) {
      DFC_UNROLL
      const Acc before = tap == 0 ? Acc(0) : acc[p];
      acc[p] = before + P::of(element<InBits>(inputs, p), rom_element<WeightBits>(weights[0][word], p * WeightBits));
      if (tap.last()) set_element<OutBits>(results, p, Code::of(acc[p], fold, p, thresholds...));
    }
    if (tap.last()) out.write(results);

    word.next();
    if (tap.next()) fold.next();
  }
}

}  // namespace dfc
