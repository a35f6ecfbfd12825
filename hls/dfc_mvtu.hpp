// Matrix-vector-threshold unit: Mh outputs from each of Groups vectors of Mw inputs at each of Vectors positions.
// The last fold of rows may hold dummies; columns start again with lane 0 after each Run, and weights of the lanes left over are 0.
// One call moves `frames` frames: of each, Vectors * Groups * row folds * column folds iterations of one loop at II = 1.
#pragma once

#include "dfc_arithmetic.hpp"

namespace dfc {

constexpr int column_folds(int columns, int simd, int run) { return columns / run * ceil_div(run, simd); }

// The frames, with what becomes of each sum left to `finish(acc, fold, lane)`.
template <int Vectors, int Groups, int Mh, int Mw, int Pe, int Simd, int Run, class P, int Xnor, int InBits, int WeightBits,
          int AccBits, int AccSigned, int OutBits, class Finish>
inline void mvtu_frames(hls::stream<ap_uint<Simd * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out,
                       const ap_uint<Pe * Simd * WeightBits> Weights[], frames_t frames, const Finish& finish) {
  DFC_INLINE
  static_assert(Pe <= Mh && Simd <= Mw, "dfc::mvtu: there are at most Mh and Mw lanes");
  static_assert(Mw % Run == 0, "dfc::mvtu: Run must divide Mw");
  constexpr int RowFolds = ceil_div(Mh, Pe);
  constexpr int ColFolds = column_folds(Mw, Simd, Run);
  constexpr int RunFolds = ceil_div(Run, Simd);
  constexpr int Tail = Run % Simd;
  constexpr int Folds = Groups * RowFolds;
  using Acc = integer<AccBits, AccSigned != 0>;

  ap_uint<Simd * InBits> vector[ColFolds];
  Acc acc[Pe];
  DFC_PARTITION(acc)
  int row = 0;   // fold of rows within the group
  int col = 0;   // fold of columns
  int fold = 0;  // fold of rows within all groups
  int word = 0;
  [[maybe_unused]] int beat = 0;  // of a run
  for (FrameSteps<long(Vectors) * Folds * ColFolds> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    DFC_DISTANCE(vector, ColFolds)  // read again in the next fold of rows
    ap_uint<Simd * InBits> inputs;
    if (row == 0) {
      inputs = in.read();
      vector[col] = inputs;
    } else {
      inputs = vector[col];
    }
    ap_uint<InBits> x[Simd];
    DFC_PARTITION(x)
    unpack<InBits>(inputs, 0, x);
    if constexpr (Xnor && Tail > 0) {  // there is no weight for nothing: lanes left over get 0, which complements to no count
      for (int i = Tail; i < Simd; i++) {
        DFC_UNROLL
        if (beat == RunFolds - 1) x[i] = 0;
      }
      beat = beat == RunFolds - 1 ? 0 : beat + 1;
    }
    const ap_uint<Pe * Simd * WeightBits>& weights = Weights[word];
    ap_uint<Pe * OutBits> results = 0;
    for (int p = 0; p < Pe; p++) {
      DFC_UNROLL
      const Acc before = col == 0 ? Acc(0) : acc[p];
      acc[p] = before + dot<Simd, P, InBits, WeightBits, AccBits, AccSigned>(x, weights, p * Simd);
      if (col == ColFolds - 1) set_element<OutBits>(results, p, finish(acc[p], fold, p));
    }
    if (col == ColFolds - 1) out.write(results);

    word = word == Folds * ColFolds - 1 ? 0 : word + 1;
    if (col != ColFolds - 1) {
      col++;
    } else {
      col = 0;
      row = row == RowFolds - 1 ? 0 : row + 1;
      fold = fold == Folds - 1 ? 0 : fold + 1;
    }
  }
}

// With thresholds.
template <int Vectors, int Groups, int Mh, int Mw, int Pe, int Simd, int Run, int InBits, int InSigned, int InBipolar,
          int WeightBits, int WeightSigned, int Xnor, int AccBits, int AccSigned, int ThreshBits, int ThreshFactorBits, int ThreshShift,
          int ThreshShared, int Flip, int OutBits,
          int OutSigned, int Double, int Arithmetic, int WeightsStyle, int ThresholdsStyle, int Slots>
void mvtu(hls::stream<ap_uint<Simd * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out,
          const ap_uint<Pe * Simd * WeightBits> Weights[Groups * ceil_div(Mh, Pe) * column_folds(Mw, Simd, Run)],
          const ap_uint<ThreshBits> Thresholds[threshold_depth<ThresholdsStyle, OutBits, ThreshShared>(Pe, Groups * ceil_div(Mh, Pe))],
          frames_t frames) {
  using P = Product<InBits, InSigned, InBipolar, WeightBits, WeightSigned, Xnor>;
  DFC_PARTITION_BLOCK(Thresholds, (threshold_depth<ThresholdsStyle, OutBits, ThreshShared>(Pe, 1)))
  mvtu_frames<Vectors, Groups, Mh, Mw, Pe, Simd, Run, P, Xnor, InBits, WeightBits, AccBits, AccSigned, OutBits>(
      in, out, Weights, frames, [&](const integer<AccBits, AccSigned != 0>& acc, int fold, int lane) {
        return threshold_code<ThreshShared ? 1 : Groups * ceil_div(Mh, Pe), AccBits, AccSigned, ThreshBits, ThreshFactorBits,
                              ThreshShift, Flip, OutBits, OutSigned, ThresholdsStyle>(
            acc, Thresholds, ThreshShared ? 0 : fold, ThreshShared ? 0 : lane);
      });
}

// Without: the outputs are the sums.
template <int Vectors, int Groups, int Mh, int Mw, int Pe, int Simd, int Run, int InBits, int InSigned, int InBipolar,
          int WeightBits, int WeightSigned, int Xnor, int AccBits, int AccSigned, int ThreshBits, int ThreshFactorBits, int ThreshShift,
          int ThreshShared, int Flip, int OutBits,
          int OutSigned, int Double, int Arithmetic, int WeightsStyle, int ThresholdsStyle, int Slots>
void mvtu(hls::stream<ap_uint<Simd * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out,
          const ap_uint<Pe * Simd * WeightBits> Weights[Groups * ceil_div(Mh, Pe) * column_folds(Mw, Simd, Run)], frames_t frames) {
  static_assert(ThreshBits == 0, "dfc::mvtu: a unit with thresholds takes their memory");
  using P = Product<InBits, InSigned, InBipolar, WeightBits, WeightSigned, Xnor>;
  mvtu_frames<Vectors, Groups, Mh, Mw, Pe, Simd, Run, P, Xnor, InBits, WeightBits, AccBits, AccSigned, OutBits>(
      in, out, Weights, frames,
      [](const integer<AccBits, AccSigned != 0>& acc, int, int) { return give_sum<AccBits, AccSigned, OutBits, Double, Mw>(acc); });
}

}  // namespace dfc
