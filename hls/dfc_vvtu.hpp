// Vector-vector-threshold unit: each of Channels outputs from its own Taps inputs at each of Vectors positions.
// The last fold of channels may hold dummies. One call moves `frames` frames: of each, Vectors * folds * Taps iterations of one loop at II = 1.
#pragma once

#include "dfc_arithmetic.hpp"

namespace dfc {

// The frames, with what becomes of each sum left to `finish(acc, fold, lane)`.
template <int Vectors, int Channels, int Taps, int Pe, class P, int InBits, int WeightBits, int AccBits, int AccSigned,
          int OutBits, class Finish>
inline void vvtu_frames(hls::stream<ap_uint<Pe * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out,
                       const ap_uint<Pe * WeightBits> Weights[], frames_t frames, const Finish& finish) {
  DFC_INLINE
  static_assert(Pe <= Channels, "dfc::vvtu: there are at most Channels lanes");
  constexpr int Folds = ceil_div(Channels, Pe);
  using Acc = integer<AccBits, AccSigned != 0>;

  Acc acc[Pe];
  DFC_PARTITION(acc)
  int tap = 0;
  int fold = 0;
  int word = 0;
  for (FrameSteps<long(Vectors) * Folds * Taps> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const ap_uint<Pe * InBits> inputs = in.read();
    const ap_uint<Pe * WeightBits> weights = Weights[word];
    ap_uint<Pe * OutBits> results = 0;
    for (int p = 0; p < Pe; p++) {
      DFC_UNROLL
      const Acc before = tap == 0 ? Acc(0) : acc[p];
      acc[p] = before + P::of(element<InBits>(inputs, p), element<WeightBits>(weights, p));
      if (tap == Taps - 1) set_element<OutBits>(results, p, finish(acc[p], fold, p));
    }
    if (tap == Taps - 1) out.write(results);

    word = word == Folds * Taps - 1 ? 0 : word + 1;
    if (tap != Taps - 1) {
      tap++;
    } else {
      tap = 0;
      fold = fold == Folds - 1 ? 0 : fold + 1;
    }
  }
}

// With thresholds.
template <int Vectors, int Channels, int Taps, int Pe, int InBits, int InSigned, int InBipolar, int WeightBits, int WeightSigned,
          int Xnor, int AccBits, int AccSigned, int ThreshBits, int ThreshFactorBits, int ThreshShift,
          int ThreshShared, int Flip, int OutBits, int OutSigned, int Double,
          int Arithmetic, int WeightsStyle, int ThresholdsStyle, int Slots>
void vvtu(hls::stream<ap_uint<Pe * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out,
          const ap_uint<Pe * WeightBits> Weights[ceil_div(Channels, Pe) * Taps],
          const ap_uint<ThreshBits> Thresholds[threshold_depth<ThresholdsStyle, OutBits, ThreshShared>(Pe, ceil_div(Channels, Pe))],
          frames_t frames) {
  using P = Product<InBits, InSigned, InBipolar, WeightBits, WeightSigned, Xnor>;
  DFC_PARTITION_BLOCK(Thresholds, (threshold_depth<ThresholdsStyle, OutBits, ThreshShared>(Pe, 1)))
  vvtu_frames<Vectors, Channels, Taps, Pe, P, InBits, WeightBits, AccBits, AccSigned, OutBits>(
      in, out, Weights, frames, [&](const integer<AccBits, AccSigned != 0>& acc, int fold, int lane) {
        return threshold_code<ThreshShared ? 1 : ceil_div(Channels, Pe), AccBits, AccSigned, ThreshBits, ThreshFactorBits,
                              ThreshShift, Flip, OutBits, OutSigned, ThresholdsStyle>(
            acc, Thresholds, ThreshShared ? 0 : fold, ThreshShared ? 0 : lane);
      });
}

// Without: the outputs are the sums.
template <int Vectors, int Channels, int Taps, int Pe, int InBits, int InSigned, int InBipolar, int WeightBits, int WeightSigned,
          int Xnor, int AccBits, int AccSigned, int ThreshBits, int ThreshFactorBits, int ThreshShift,
          int ThreshShared, int Flip, int OutBits, int OutSigned, int Double,
          int Arithmetic, int WeightsStyle, int ThresholdsStyle, int Slots>
void vvtu(hls::stream<ap_uint<Pe * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out,
          const ap_uint<Pe * WeightBits> Weights[ceil_div(Channels, Pe) * Taps], frames_t frames) {
  static_assert(ThreshBits == 0, "dfc::vvtu: a unit with thresholds takes their memory");
  using P = Product<InBits, InSigned, InBipolar, WeightBits, WeightSigned, Xnor>;
  vvtu_frames<Vectors, Channels, Taps, Pe, P, InBits, WeightBits, AccBits, AccSigned, OutBits>(
      in, out, Weights, frames,
      [](const integer<AccBits, AccSigned != 0>& acc, int, int) { return give_sum<AccBits, AccSigned, OutBits, Double, Taps>(acc); });
}

}  // namespace dfc
