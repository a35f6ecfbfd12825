// Arithmetic of the loopback engine: weights out of their words, values of taps joined, codes by thresholds.
#pragma once

#include "dfc_lb_check.hpp"

namespace dfc {

// One weight: element `lane` of part `part` of a word of the weight buffer, `1 << width` bits; width 0 means -1 and +1.
template <int Lanes, int WeightBits, int BusBits>
inline ap_int<WeightBits> lb_weight(const ap_uint<BusBits> word[], int part, int lane, int width) {
  DFC_INLINE
  const int at = (part * Lanes + lane) << width;
  const ap_uint<BusBits> slice = word[at / BusBits];
  const ap_uint<WeightBits> bits = ap_uint<WeightBits>(slice >> (at % BusBits));
  if (width == 0) return bits[0] ? ap_int<WeightBits>(1) : ap_int<WeightBits>(-1);
  if (width == 1) return ap_int<WeightBits>(ap_int<2>(bits));
  if (width == 2) return ap_int<WeightBits>(ap_int<4>(bits));
  return ap_int<WeightBits>(bits);
}

// What the first sum of a value adds to.
template <int AccBits>
inline ap_int<AccBits> lb_start(const LbCompute& d, const LbWalk& walk, const ap_int<AccBits>& kept) {
  DFC_INLINE
  if (d.op == acc_op_mul) return ap_int<AccBits>(ap_int<18>(walk.p == 0 ? d.start_1 : d.start_2));
  return d.acc_load == 1 ? kept : ap_int<AccBits>(0);
}

// The result after the value of a tap or factor, given the best before and its place: the sum, maximum, position or product.
template <int AccBits>
inline ap_int<AccBits> lb_join(const LbCompute& d, const LbWalk& walk, const ap_int<AccBits>& now, ap_int<AccBits>& best, ap_int<14>& place) {
  DFC_INLINE
  if (d.op == acc_op_add) return now;
  if (!walk.ends(d)) return best;
  const ap_int<18> first = ap_int<18>(best), second = ap_int<18>(now);
  bool better = d.op == acc_op_min ? now < best : d.op == acc_op_argmax_last ? now >= best : now > best;
  if (LbWalk::picks(d) && !walk.present(d)) better = false;
  if (walk.first_tap() || better) {
    best = now;
    place = walk.x;
  }
  if (d.op == acc_op_mul) return ap_int<AccBits>(first * second);
  return LbWalk::picks(d) ? ap_int<AccBits>(place) : best;
}

// The pattern of one row by multiplying, adding, shifting and clipping; the words of the bank at `bank` are as in dfc_lb_tree.sv.
template <int AccBits, int ScaleBits, class Tree>
inline ap_uint<16> lb_scaled(const LbCompute& d, const ap_int<AccBits>& sum, const Tree& tree, int bank, int row) {
  DFC_INLINE
  constexpr int Bits = lb_scaled_bits(AccBits, ScaleBits);
  const ap_int<ScaleBits> factor = ap_int<ScaleBits>(tree[bank + 1][row]);
  const ap_int<2 * AccBits> high = tree[bank + 4][row];
  const ap_uint<AccBits> low = ap_uint<AccBits>(tree[bank + 2][row]);
  const ap_int<Bits> product = ap_int<Bits - ScaleBits>(sum) * factor;
  const ap_int<Bits> total = product + ap_int<Bits>((high << AccBits) | ap_int<2 * AccBits>(low));
  const ap_int<Bits> steps = total >> int(d.scale_shift);
  const ap_uint<16> top = ap_uint<16>((2 << int(d.levels)) - 1);
  return steps < 0 ? ap_uint<16>(0) : steps > ap_int<Bits>(top) ? top : ap_uint<16>(steps);
}

// The code or sum of one row: thresholds in search order, a table by their count, a requantization, or the bias.
template <int TreeLevels, int AccBits, int ScaleBits, class Tree>
inline ap_int<AccBits> lb_result(const LbCompute& d, const ap_int<AccBits>& sum, const Tree& tree, int row) {
  DFC_INLINE
  const int bank = int(d.bank) << TreeLevels;  // a shift of ap_uint keeps its width
  if constexpr (ScaleBits > 0) {
    if (d.scale == 1) return ap_int<AccBits>(ap_int<AccBits>(lb_scaled<AccBits, ScaleBits>(d, sum, tree, bank, row)) + tree[bank][row]);
  }
  if (d.levels == 0) return ap_int<AccBits>(sum + tree[bank][row]);
  constexpr int Half = 1 << (TreeLevels - 1);
  unsigned count = 0;
  for (int level = 0; level < TreeLevels; level++) {
    DFC_UNROLL
    if (level < d.levels) count = 2 * count + (sum >= tree[bank + (1 << level) + count][row] ? 1 : 0);
  }
  if (d.lookup == 1) return ap_int<AccBits>(tree[bank + Half + count][row] + tree[bank][row]);
  const ap_int<AccBits> root = tree[bank][row];  // twice the least code, and the flip
  if (root[0]) count ^= (1u << d.levels) - 1;
  return ap_int<AccBits>((root >> 1) + (count << d.twice));
}

}  // namespace dfc
