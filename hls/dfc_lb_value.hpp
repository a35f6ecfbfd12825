// Arithmetic of the loopback engine: weights out of their words, values of taps joined, codes by thresholds.
#pragma once

#include "dfc_lb_check.hpp"

namespace dfc {

// Brings the weights of a step, part `part` of a word of the buffer counted in the narrowest parts of Lanes bits, to the lowest bits. Each
// bit of its number drops one half of what is left: moves by constants alone.
template <int Lanes, int WeightBits, int Words, int BusBits>
inline void lb_part(ap_uint<BusBits> (&word)[Words], int part) {
  DFC_INLINE
  for (int half = WeightBits / 2; half > 0; half /= 2) {
    DFC_UNROLL
    const int moved = half * Lanes / BusBits, shift = half * Lanes % BusBits;  // whole words, or a part of the only one that is left
    for (int i = 0; i < max_of(moved, 1); i++) {
      DFC_UNROLL
      if ((part & half) != 0) word[i] = moved > 0 ? word[i + moved] : ap_uint<BusBits>(word[i] >> shift);
    }
  }
}

// The weight of a lane, of so many as `lb_part` found: `1 << width` bits; width 0 means -1 and +1.
template <int WeightBits, int Words, int BusBits>
inline ap_int<WeightBits> lb_weight(const ap_uint<BusBits> (&part)[Words], int lane, int width) {
  DFC_INLINE
  if (width == 0) return (part[lane / BusBits] >> (lane % BusBits))[0] ? ap_int<WeightBits>(1) : ap_int<WeightBits>(-1);
  if (width == 1) return ap_int<WeightBits>(ap_int<2>(part[2 * lane / BusBits] >> (2 * lane % BusBits)));
  if (width == 2 && WeightBits >= 4) {
    constexpr int Bits = min_of(WeightBits, 4);
    return ap_int<WeightBits>(ap_int<Bits>(part[Bits * lane / BusBits] >> (Bits * lane % BusBits)));
  }
  return ap_int<WeightBits>(part[WeightBits * lane / BusBits] >> (WeightBits * lane % BusBits));
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
  if (LbWalk::picks(d) && !walk.present(d, 0)) better = false;
  if (walk.first_tap() || better) {
    best = now;
    place = walk.x;
  }
  if (d.op == acc_op_mul) return ap_int<AccBits>(first * second);
  return LbWalk::picks(d) ? ap_int<AccBits>(place) : best;
}

// The value of an output for the writer: that of the first pixel, or of the next one that waits; those behind it move up.
template <int Pixels, int Pe, int AccBits>
inline ap_int<AccBits> lb_turn(ap_int<AccBits> (&held)[Pixels][Pe], const ap_int<AccBits> (&joined)[Pixels][Pe], bool made, int row) {
  DFC_INLINE
  const ap_int<AccBits> first = made ? joined[0][row] : held[0][row];
  for (int pixel = 0; pixel + 1 < Pixels; pixel++) {
    DFC_UNROLL
    held[pixel][row] = made ? joined[pixel + 1][row] : held[pixel + 1][row];
  }
  return first;
}

// A memory of words of all rows, each row in a bank of its own.
template <int Words, int Pe, int AccBits>
inline void lb_rows_apart(ap_int<AccBits> (&memory)[Words][Pe]) {
  DFC_INLINE
  DFC_PRAGMA(HLS array_partition variable = memory complete dim = 2)
  (void)memory;
}

// A bus word into its rows of a word: one store of each bank, of data at a place that is known.
template <int Pe, int AccBits, int BusBits>
inline void lb_put_rows(ap_int<AccBits> (&word)[Pe], int beat, const ap_uint<BusBits>& data) {
  DFC_INLINE
  constexpr int Rows = BusBits / AccBits;
  for (int row = 0; row < Pe; row++) {
    DFC_UNROLL
    if (row / Rows == beat) word[row] = ap_int<AccBits>(element<AccBits>(data, row % Rows));
  }
}

// The thresholds of all banks: a memory of the roots, and under it one of each level of the search, so that a step reads each once, at an
// index that says which; node n of bank b is as in dfc_lb_tree.sv.
template <int Level, int TreeBanks, int Pe, int AccBits>
struct LbTree : LbTree<Level - 1, TreeBanks, Pe, AccBits> {
  using Above = LbTree<Level - 1, TreeBanks, Pe, AccBits>;
  ap_int<AccBits> nodes[TreeBanks << Level][Pe];

  // The count of the thresholds from the root to this level, and what each level read: of a requantization its words, of a table, which is
  // the last level, the entry.
  template <int Levels>
  int find(const LbCompute& d, const ap_int<AccBits>& sum, int row, ap_int<AccBits> (&read)[Levels]) const {
    DFC_INLINE
    const int count = Above::find(d, sum, row, read);
    read[Level] = nodes[(int(d.bank) << Level) + (d.scale == 1 ? 0 : count)][row];
    return Level < d.levels ? 2 * count + (sum >= read[Level] ? 1 : 0) : count;
  }
  // Bus word `beat` of a node.
  template <int BusBits>
  void put(int bank, int node, int beat, const ap_uint<BusBits>& data) {
    DFC_INLINE
    lb_rows_apart(nodes);
    if (node >> Level == 1) lb_put_rows(nodes[(bank << Level) + node - (1 << Level)], beat, data);
    Above::put(bank, node, beat, data);
  }
};
template <int TreeBanks, int Pe, int AccBits>
struct LbTree<-1, TreeBanks, Pe, AccBits> {
  ap_int<AccBits> roots[TreeBanks][Pe];

  template <int Levels>
  int find(const LbCompute&, const ap_int<AccBits>&, int, ap_int<AccBits> (&)[Levels]) const {
    return 0;
  }
  template <int BusBits>
  void put(int bank, int node, int beat, const ap_uint<BusBits>& data) {
    DFC_INLINE
    lb_rows_apart(roots);
    if (node == 0) lb_put_rows(roots[bank], beat, data);
  }
};

// The pattern of one row by multiplying, adding, shifting and clipping: the multiplier and the parts of the offset.
template <int AccBits, int ScaleBits>
inline ap_uint<16> lb_scaled(const LbCompute& d, const ap_int<AccBits>& sum, const ap_int<AccBits>& multiplier, const ap_int<AccBits>& offset_low,
                             const ap_int<AccBits>& offset_high) {
  DFC_INLINE
  constexpr int Bits = lb_scaled_bits(AccBits, ScaleBits);
  const ap_int<ScaleBits> factor = ap_int<ScaleBits>(multiplier);
  const ap_int<2 * AccBits> high = offset_high;
  const ap_uint<AccBits> low = ap_uint<AccBits>(offset_low);
  const ap_int<Bits> product = ap_int<Bits - ScaleBits>(sum) * factor;
  const ap_int<Bits> total = product + ap_int<Bits>((high << AccBits) | ap_int<2 * AccBits>(low));
  const ap_int<Bits> steps = total >> int(d.scale_shift);
  const ap_uint<16> top = ap_uint<16>((2 << int(d.levels)) - 1);
  return steps < 0 ? ap_uint<16>(0) : steps > ap_int<Bits>(top) ? top : ap_uint<16>(steps);
}

// The root of the result of row 0, a bit in a step, as in dfc_inverse_root.sv.
template <int AccBits, int RootBits>
struct LbRoot {
  using Rest = ap_uint<max_of(RootBits, 1)>;
  Rest rest, step, of;
  ap_uint<AccBits> root;
  ap_uint<index_bits(AccBits + 1)> left;  // bits

  // Whether a result is a root, which is then begun.
  bool start(const LbCompute& d, const ap_int<AccBits>& value) {
    DFC_INLINE
    if (RootBits == 0 || d.root == 0) return false;
    left = d.start_1;
    rest = Rest(1) << int(d.start_2);
    of = step = Rest(ap_uint<AccBits>(value));
    root = 0;
    return true;
  }
  // One bit; behind the last one the root takes the place of the result, and nothing that of other rows.
  template <int Pe>
  bool find(ap_int<AccBits> (&values)[Pe]) {
    DFC_INLINE
    const Rest lifted = rest << 2, twice = step << 1;
    const bool one = lifted >= step;
    rest = one ? Rest(lifted - step) : lifted;
    step = one ? Rest(twice + of + Rest(of << 1)) : Rest(twice - of);
    root = ap_uint<AccBits>(root << 1) + (one ? 1 : 0);
    left--;
    if (left > 0) return false;
    for (int row = 0; row < Pe; row++) {
      DFC_UNROLL
      values[row] = row == 0 ? ap_int<AccBits>(root) : ap_int<AccBits>(0);
    }
    return true;
  }
  // Nothing is found any more.
  bool stop() {
    left = 0;
    return false;
  }
};

// The code or sum of one row: thresholds in search order, a table by their count, a requantization, or the bias.
template <int TreeLevels, int ScaleBits, int TreeBanks, int Pe, int AccBits>
inline ap_int<AccBits> lb_result(const LbCompute& d, const ap_int<AccBits>& sum, const LbTree<TreeLevels - 1, TreeBanks, Pe, AccBits>& tree, int row) {
  DFC_INLINE
  const ap_int<AccBits> root = tree.roots[int(d.bank)][row];  // a bias; or with thresholds twice the least code, and the flip
  ap_int<AccBits> read[max_of(TreeLevels, 3)];
  int count = tree.find(d, sum, row, read);
  if (ScaleBits > 0 && d.scale == 1) {
    return ap_int<AccBits>(ap_int<AccBits>(lb_scaled<AccBits, max_of(ScaleBits, 1)>(d, sum, read[0], read[1], read[2])) + root);
  }
  if (d.levels == 0) return ap_int<AccBits>(sum + root);
  if (d.lookup == 1) return ap_int<AccBits>(read[TreeLevels - 1] + root);
  if (root[0]) count ^= (1 << int(d.levels)) - 1;
  return ap_int<AccBits>((root >> 1) + (count << int(d.twice)));
}

}  // namespace dfc
