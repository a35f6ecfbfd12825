// What the arithmetic units share: products, sums, and codes by thresholds.
#pragma once

#include "dfc_storage.hpp"

namespace dfc {

// The integer type of a product of an InBits-bit input and a WeightBits-bit weight.
template <int InBits, int InSigned, int InBipolar, int WeightBits, int WeightSigned, int Xnor, int Arithmetic>
struct Product {
  static constexpr int bits = Xnor ? InBits : InBits + InBipolar + WeightBits;
  static constexpr bool is_signed = Xnor ? InSigned != 0 : (InSigned || InBipolar || WeightSigned);
  using type = integer<bits, is_signed>;

  // The product of two bit patterns. Xnor: the input pattern, complemented where the weight bit is 0.
  static type of(const ap_uint<InBits>& input, const ap_uint<WeightBits>& weight) {
    DFC_INLINE
    if (Xnor != 0) {
      const ap_uint<InBits> pattern = weight[0] ? input : ap_uint<InBits>(~input);
      return type(as_integer<is_signed>(pattern));
    }
    const integer<WeightBits, WeightSigned != 0> w = as_integer<WeightSigned != 0>(weight);
    if (InBipolar != 0) {
      const ap_int<2> x = input[0] ? 1 : -1;
      return Multiplier<Arithmetic>::template product<type>(x, w);
    }
    return Multiplier<Arithmetic>::template product<type>(as_integer<InSigned != 0>(input), w);
  }
};

// Dot product of Simd inputs with the weights from element `first` of a word on; modulo 2**AccBits.
template <int Simd, class P, int InBits, int WeightBits, int AccBits, int AccSigned, int Limbs>
inline integer<AccBits, AccSigned != 0> dot(const ap_uint<InBits> (&inputs)[Simd], const std::uint64_t (&weights)[Limbs], int first) {
  DFC_INLINE
  integer<AccBits, AccSigned != 0> sum = 0;
  for (int s = 0; s < Simd; s++) {
    DFC_UNROLL
    sum += P::of(inputs[s], rom_element<WeightBits>(weights, (first + s) * WeightBits));
  }
  return sum;
}

// Bits of an index into the folds of thresholds: each has its own, or all have the same.
constexpr int fold_bits(int folds, int shared) { return shared ? 0 : clog2(folds); }

// The search tree from one level down. Each level of each lane is a bank of its own, so that which bank a step reads depends on nothing:
// entry `place` of the level, once for every fold, folds padded to a power of two.
template <class Acc, int ThreshBits, int AccSigned, int FoldBits>
inline int descend(const Acc&, int, int, int place) {
  return place;
}
template <class Acc, int ThreshBits, int AccSigned, int FoldBits, int Lanes, int Depth, int Limbs, class... Levels>
inline int descend(const Acc& acc, int fold, int lane, int place, const std::uint64_t (&level)[Lanes][Depth][Limbs], const Levels&... deeper) {
  DFC_INLINE
  const ap_uint<ThreshBits> word = rom_word<ThreshBits>(level[lane][(place << FoldBits) + fold]);
  const int next = 2 * place + (acc >= as_integer<AccSigned != 0>(word) ? 1 : 0);
  return descend<Acc, ThreshBits, AccSigned, FoldBits>(acc, fold, lane, next, deeper...);
}

// What becomes of a sum. Without thresholds: the sum itself; Double: 2 * sum - Terms, of bipolar products counted as bits.
// Thresholds: a bank of flip bits and one of each level of the search. Scaled styles: one bank of multipliers with offsets.
template <int Folds, int AccBits, int AccSigned, int ThreshBits, int ThreshFactorBits, int ThreshShift, int ThreshShared, int Flip, int OutBits,
          int OutSigned, int Double, int Terms, int Style>
struct Codes {
  using Acc = integer<AccBits, AccSigned != 0>;
  static constexpr int FoldBits = fold_bits(Folds, ThreshShared);

  static ap_uint<OutBits> of(const Acc& acc, int, int) {
    DFC_INLINE
    static_assert(ThreshBits == 0, "dfc: a unit with thresholds takes their memories");
    if (Double != 0) return ap_uint<OutBits>(2 * ap_int<OutBits + 1>(acc) - Terms);
    return ap_uint<OutBits>(ap_int<OutBits + AccBits>(acc));
  }

  template <int Lanes, int Depth, int Limbs, class... Levels>
  static ap_uint<OutBits> of(const Acc& acc, int fold, int lane, const std::uint64_t (&first)[Lanes][Depth][Limbs], const Levels&... levels) {
    DFC_INLINE
    static_assert(sizeof...(Levels) == (is_scaled(Style) ? 0 : OutBits), "dfc: thresholds have a bank of each level");
    const int row = ThreshShared ? 0 : fold;
    const ap_uint<OutBits> code = is_scaled(Style) ? scaled(acc, first[lane][row]) : counted(acc, row, lane, first, levels...);
    return OutSigned ? ap_uint<OutBits>(code ^ (ap_uint<OutBits>(1) << (OutBits - 1))) : code;
  }

 private:
  template <int Lanes, int Depth, int Limbs, class... Levels>
  static ap_uint<OutBits> counted(
      const Acc& acc, int fold, int lane, const std::uint64_t (&flips)[Lanes][Depth][Limbs], const Levels&... levels) {
    DFC_INLINE
    const ap_uint<OutBits> code = descend<Acc, max_of(ThreshBits, 1), AccSigned, FoldBits>(acc, fold, lane, 0, levels...);
    return Flip && (flips[lane][fold][0] & 1) != 0 ? ap_uint<OutBits>(~code) : code;
  }

  // By multiply, add, shift and clip. A word holds the multiplier and above it the offset, both signed.
  template <int Limbs>
  static ap_uint<OutBits> scaled(const Acc& acc, const std::uint64_t (&word)[Limbs]) {
    DFC_INLINE
    constexpr int FactorBits = max_of(ThreshFactorBits, 1);
    constexpr int OffsetBits = max_of(ThreshBits - ThreshFactorBits, 1);
    constexpr int ProductBits = AccBits + 1 + FactorBits;
    constexpr int SumBits = max_of(ProductBits, OffsetBits) + 1;
    const ap_int<FactorBits> factor = as_integer<true>(rom_word<FactorBits>(word));
    const ap_int<OffsetBits> offset = as_integer<true>(rom_word<OffsetBits>(word, FactorBits));
    const ap_int<ProductBits> product =
        Multiplier<Style == StyleShiftAdd ? 1 : 2>::template product<ap_int<ProductBits>>(ap_int<AccBits + 1>(acc), factor);
    const ap_int<SumBits> sum = ap_int<SumBits>(product) + ap_int<SumBits>(offset);
    const ap_int<SumBits> steps = sum >> ThreshShift;
    if (steps < 0) return ap_uint<OutBits>(0);
    return steps >> OutBits != 0 ? ap_uint<OutBits>(~ap_uint<OutBits>(0)) : ap_uint<OutBits>(steps);
  }
};

// Where the banks of a memory lie.
template <int Style>
inline void bind_banks() {}
template <int Style, class Bank, class... Banks>
inline void bind_banks(const Bank& bank, const Banks&... banks) {
  DFC_INLINE
  Storage<Style>::rom(bank);
  bind_banks<Style>(banks...);
}

}  // namespace dfc
