// What the arithmetic units share: products, sums and the threshold search.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

// The integer type of a product of an InBits-bit input and a WeightBits-bit weight.
template <int InBits, int InSigned, int InBipolar, int WeightBits, int WeightSigned, int Xnor>
struct Product {
  static constexpr int bits = Xnor ? InBits : InBits + InBipolar + WeightBits;
  static constexpr bool is_signed = Xnor ? InSigned != 0 : (InSigned || InBipolar || WeightSigned);
  using type = integer<bits, is_signed>;

  // The product of two bit patterns. Xnor: the input pattern, complemented where the weight bit is 0.
  static type of(const ap_uint<InBits>& input, const ap_uint<WeightBits>& weight) {
    DFC_INLINE
    if constexpr (Xnor != 0) {
      const ap_uint<InBits> pattern = weight[0] ? input : ap_uint<InBits>(~input);
      return as_integer<is_signed>(pattern);
    } else {
      const integer<WeightBits, WeightSigned != 0> w = as_integer<WeightSigned != 0>(weight);
      if constexpr (InBipolar != 0) {
        const ap_int<2> x = input[0] ? 1 : -1;
        return type(x * w);
      } else {
        return type(as_integer<InSigned != 0>(input) * w);
      }
    }
  }
};

// Dot product of Simd inputs with the weights from element `first` of a word on; modulo 2**AccBits.
template <int Simd, class P, int InBits, int WeightBits, int AccBits, int AccSigned, int WordWidth>
inline integer<AccBits, AccSigned != 0> dot(const ap_uint<InBits> (&inputs)[Simd], const ap_uint<WordWidth>& weights, int first) {
  DFC_INLINE
  ap_uint<WeightBits> w[Simd];
  DFC_PARTITION(w)
  unpack<WeightBits>(weights, first, w);
  integer<AccBits, AccSigned != 0> sum = 0;
  for (int s = 0; s < Simd; s++) {
    DFC_UNROLL
    sum += P::of(inputs[s], w[s]);
  }
  return sum;
}

// Styles from 5 on multiply instead of comparing.
constexpr bool is_scaled(int style) { return style >= 5; }

// Entries of the threshold memory of so many lanes and folds: a tree each, or a multiplier with its offset; one for all if Shared.
template <int Style, int OutBits, int Shared>
constexpr int threshold_depth(int lanes, int folds) {
  return (Shared ? 1 : lanes << clog2(folds)) << (is_scaled(Style) ? 0 : OutBits);
}

// Code of an accumulator by binary search. `thresholds` holds each lane's search tree in heap order (node 0: the flip bit),
// each node once for every fold: entry (lane * 2**OutBits + node) * folds + fold, folds padded to a power of two.
template <int Folds, int AccBits, int AccSigned, int ThreshBits, int Flip, int OutBits, int OutSigned>
inline ap_uint<OutBits> count_thresholds(
    const integer<AccBits, AccSigned != 0>& acc, const ap_uint<ThreshBits> thresholds[], int fold, int lane) {
  DFC_INLINE
  constexpr int FoldBits = clog2(Folds);
  const int tree = ((lane << OutBits) << FoldBits) + fold;
  int node = 1;
  for (int stage = 0; stage < OutBits; stage++) {
    DFC_UNROLL
    const integer<ThreshBits, AccSigned != 0> threshold = as_integer<AccSigned != 0>(thresholds[tree + (node << FoldBits)]);
    node = 2 * node + (acc >= threshold ? 1 : 0);
  }
  ap_uint<OutBits> code = node;  // drops the leading one of the heap index
  if (OutSigned) code ^= ap_uint<OutBits>(1) << (OutBits - 1);
  if (Flip) {
    const ap_uint<ThreshBits> flip = thresholds[tree];
    if (flip[0]) code = ~code;
  }
  return code;
}

// Code of an accumulator by multiply, add, shift and clip. A word holds the multiplier and above it the offset, both signed.
template <int Folds, int AccBits, int AccSigned, int WordBits, int FactorBits, int Shift, int OutBits, int OutSigned>
inline ap_uint<OutBits> requantized(const integer<AccBits, AccSigned != 0>& acc, const ap_uint<WordBits> words[], int fold, int lane) {
  DFC_INLINE
  constexpr int OffsetBits = WordBits - FactorBits;
  constexpr int ProductBits = AccBits + 1 + FactorBits;
  constexpr int SumBits = (ProductBits > OffsetBits ? ProductBits : OffsetBits) + 1;
  const ap_uint<WordBits> word = words[(lane << clog2(Folds)) + fold];
  const ap_int<FactorBits> factor = as_integer<true>(ap_uint<FactorBits>(word));
  const ap_int<OffsetBits> offset = as_integer<true>(ap_uint<OffsetBits>(word >> FactorBits));
  const ap_int<ProductBits> product = ap_int<AccBits + 1>(acc) * factor;
  const ap_int<SumBits> sum = ap_int<SumBits>(product) + ap_int<SumBits>(offset);
  const ap_int<SumBits> steps = sum >> Shift;
  ap_uint<OutBits> code = steps < 0 ? ap_uint<OutBits>(0) : steps >> OutBits != 0 ? ap_uint<OutBits>(~ap_uint<OutBits>(0)) : ap_uint<OutBits>(steps);
  if (OutSigned) code ^= ap_uint<OutBits>(1) << (OutBits - 1);
  return code;
}

// Code of an accumulator, in the way that the style says.
template <int Folds, int AccBits, int AccSigned, int ThreshBits, int FactorBits, int Shift, int Flip, int OutBits, int OutSigned, int Style>
inline ap_uint<OutBits> threshold_code(
    const integer<AccBits, AccSigned != 0>& acc, const ap_uint<ThreshBits> thresholds[], int fold, int lane) {
  DFC_INLINE
  if constexpr (is_scaled(Style)) {
    return requantized<Folds, AccBits, AccSigned, ThreshBits, FactorBits, Shift, OutBits, OutSigned>(acc, thresholds, fold, lane);
  } else {
    return count_thresholds<Folds, AccBits, AccSigned, ThreshBits, Flip, OutBits, OutSigned>(acc, thresholds, fold, lane);
  }
}

// The sum itself as an output; Double: 2 * sum - Terms, of bipolar products counted as bits.
template <int AccBits, int AccSigned, int OutBits, int Double, int Terms>
inline ap_uint<OutBits> give_sum(const integer<AccBits, AccSigned != 0>& acc) {
  DFC_INLINE
  if constexpr (Double != 0) {
    return ap_uint<OutBits>(2 * ap_int<OutBits + 1>(acc) - Terms);
  } else {
    return ap_uint<OutBits>(ap_int<OutBits + AccBits>(acc));
  }
}

}  // namespace dfc
