// Matrix-vector-threshold unit: Mh outputs from each of Groups vectors of Mw inputs at each of Vectors positions.
// The last fold of rows may hold dummies; columns start again with lane 0 after each Run, and weights of the lanes left over are 0.
// One call moves `frames` frames: of each, Vectors * Groups * row folds * column folds iterations of one loop at II = 1.
#pragma once

#include "dfc_arithmetic.hpp"

namespace dfc {

constexpr int column_folds(int columns, int simd, int run) { return columns / run * ceil_div(run, simd); }

// Thresholds: none, where the outputs are the sums, or the banks of `Codes`.
template <int Vectors, int Groups, int Mh, int Mw, int Pe, int Simd, int Run, int InBits, int InSigned, int InBipolar,
          int WeightBits, int WeightSigned, int Xnor, int AccBits, int AccSigned, int ThreshBits, int ThreshFactorBits, int ThreshShift,
          int ThreshShared, int Flip, int OutBits, int OutSigned, int Double, int Arithmetic, int WeightsStyle, int ThresholdsStyle,
          class... Thresholds>
void mvtu(hls::stream<ap_uint<Simd * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out, frames_t frames,
          const Rom<1, Groups * ceil_div(Mh, Pe) * column_folds(Mw, Simd, Run), Pe * Simd * WeightBits>& weights,
          const Thresholds&... thresholds) {
  DFC_INLINE
  static_assert(Pe <= Mh && Simd <= Mw, "dfc::mvtu: there are at most Mh and Mw lanes");
  static_assert(Mw % Run == 0, "dfc::mvtu: Run must divide Mw");
  constexpr int RowFolds = ceil_div(Mh, Pe);
  constexpr int ColFolds = column_folds(Mw, Simd, Run);
  constexpr int RunFolds = ceil_div(Run, Simd);
  constexpr int Tail = Run % Simd;
  constexpr int Folds = Groups * RowFolds;
  using P = Product<InBits, InSigned, InBipolar, WeightBits, WeightSigned, Xnor, Arithmetic>;
  using Acc = integer<AccBits, AccSigned != 0>;
  using Code = Codes<Folds, AccBits, AccSigned, ThreshBits, ThreshFactorBits, ThreshShift, ThreshShared, Flip, OutBits, OutSigned, Double,
                     Mw, ThresholdsStyle>;
  Storage<WeightsStyle>::rom(weights);
  bind_banks<ThresholdsStyle>(thresholds...);

  // Carried, and why II = 1: `acc`, one addition, in registers of its lane; counters, each one increment of its own width. `vector` is
  // written ColFolds iterations before its first read, and nothing that is read from it is ever written to it: no cycle through memory.
  ap_uint<Simd * InBits> vector[ColFolds];
  Acc acc[Pe];
  DFC_PARTITION(acc)
  Counter<RowFolds> row;          // fold of rows within the group
  Counter<ColFolds> col;          // fold of columns
  Counter<Folds> fold;            // fold of rows within all groups
  Counter<Folds * ColFolds> word;
  Counter<RunFolds> beat;         // of a run
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
    if (Xnor && Tail > 0) {  // there is no weight for nothing: lanes left over get 0, which complements to no count
      for (int i = Tail; i < Simd; i++) {
        DFC_UNROLL
        if (beat.last()) x[i] = 0;
      }
      beat.next();
    }
    ap_uint<Pe * OutBits> results = 0;
    for (int p = 0; p < Pe; p++) {
      DFC_UNROLL
      const Acc before = col == 0 ? Acc(0) : acc[p];
      acc[p] = before + dot<Simd, P, InBits, WeightBits, AccBits, AccSigned>(x, weights[0][word], p * Simd);
      if (col.last()) set_element<OutBits>(results, p, Code::of(acc[p], fold, p, thresholds...));
    }
    if (col.last()) out.write(results);

    word.next();
    if (col.next()) {
      row.next();
      fold.next();
    }
  }
}

}  // namespace dfc
