// Checks of a descriptor of the loopback engine before it is queued, as in dfc_lb_check.sv.
#pragma once

#include "dfc_lb_walk.hpp"

namespace dfc {

// Whether so many bus words of a block are its words, of Beats bus words each, inside a memory of so many.
template <int Words, int Beats>
inline bool lb_words_fit(const LbTransfer& d, const ap_uint<24>& beats) {
  return d.words * ap_uint<12>(Beats) == beats && d.inner + d.words <= Words;
}

// Bus words of the levels before numbers of them; of a word of weights in numbers of so many bits.
constexpr int lb_table_beats(int bus_bits) { return 128 / bus_bits; }
constexpr int lb_code_beats(int lanes, int bits, int bus_bits) { return lanes * bits % bus_bits == 0 ? lanes * bits / bus_bits : 1; }

// Numbers of levels: of weights, as wide as the engine reads, in whole bus words for each word.
template <int Lanes, int WeightWords, int CodeBits, int BusBits>
inline bool lb_codes_fit(const LbTransfer& d) {
  const int bits = 1 << (d.coded.to_int() - 1);
  if (d.opcode != opcode_load || bits > CodeBits || bits * Lanes % BusBits != 0 || d.beats <= lb_table_beats(BusBits)) return false;
  const ap_uint<24> beats = d.beats - lb_table_beats(BusBits);
  if (bits == 1) return lb_words_fit<WeightWords, lb_code_beats(Lanes, 1, BusBits)>(d, beats);
  if (bits == 2) return lb_words_fit<WeightWords, lb_code_beats(Lanes, 2, BusBits)>(d, beats);
  return lb_words_fit<WeightWords, lb_code_beats(Lanes, 4, BusBits)>(d, beats);
}

// Whether a block of external memory may be moved: whole words, inside its memory, aligned.
template <int Pe, int Simd, int ActWords, int WeightWords, int TreeWords, int WeightBits, int AccBits, int ListWords, int CodeBits, int ActBits,
          int BusBits>
inline bool lb_block_fits(const LbTransfer& d) {
  if (d.beats == 0 || d.address % (BusBits / 8) != 0) return false;
  if (d.coded != 0) return d.target == target_weight && lb_codes_fit<Pe * Simd, WeightWords, CodeBits, BusBits>(d);
  if (d.target == target_act) return lb_words_fit<ActWords, ActBits * Simd / BusBits>(d, d.beats);
  if (d.target == target_weight) return lb_words_fit<WeightWords, Pe * Simd * WeightBits / BusBits>(d, d.beats);
  if (d.target == target_list) return lb_words_fit<ListWords, 1>(d, d.beats);
  return lb_words_fit<TreeWords, Pe * AccBits / BusBits>(d, d.beats);
}

// Only sums are kept in parts; a product has two factors of one tap, everything else one value a tap.
inline bool lb_can_join(const LbCompute& d) {
  if (d.op == acc_op_add) return true;
  int factors = 1;
  for (int pass = 1; pass <= 3; pass++) {
    DFC_UNROLL
    if (pass <= d.passes && !LbWalk::shifts(d, pass)) factors++;
  }
  const bool one_tap = d.kernel_h == 1 && d.kernel_w == 1;
  return d.op <= acc_op_mul && d.acc_load == 0 && d.acc_store == 0 && (d.op == acc_op_mul ? factors == 2 && one_tap : factors == 1);
}

// Width of what a requantization shifts: the product of a multiplier and at most 35 bits of a sum.
constexpr int lb_scaled_bits(int acc_bits, int scale_bits) { return (acc_bits < 35 ? acc_bits : 35) + scale_bits; }

// A requantization where there is one, else as many levels as there are, one less with a table.
template <int TreeLevels, int AccBits, int ScaleBits>
inline bool lb_can_step(const LbCompute& d) {
  if (d.scale == 1) return ScaleBits > 0 && d.lookup == 0 && d.scale_shift < lb_scaled_bits(AccBits, ScaleBits);
  return d.levels <= TreeLevels && !(d.lookup == 1 && (d.levels == 0 || d.levels == TreeLevels));
}

// The root of a sum that is written, with as many bits as a result has, and a rest that the engine holds.
template <int AccBits, int RootBits>
inline bool lb_can_root(const LbCompute& d) {
  const bool plain = d.op == acc_op_add && d.levels == 0 && d.scale == 0 && d.lookup == 0 && d.acc_store == 0;
  return plain && d.start_1 >= 1 && d.start_1 < AccBits && d.start_2 < RootBits;
}

// The checks of a compute descriptor, in the order in which the engine reports them.
template <int Pe, int Simd, int WeightWords, int TreeLevels, int TreeBanks, int WeightBits, int AccBits, int ScaleBits,
          int RootBits, int ListWords, int ActBits>
inline int lb_check(const LbCompute& d) {
  constexpr int Lanes = Pe < Simd ? Pe : Simd;
  constexpr int Words = Pe > Simd ? Pe / Simd : 1;
  if (d.batch == 0 || d.height == 0 || d.width_out == 0 || d.kernel_h == 0 || d.kernel_w == 0 || d.words == 0) return error_code_loop;
  if (d.bank >= TreeBanks || !lb_can_step<TreeLevels, AccBits, ScaleBits>(d)) return error_code_tree;
  if ((1 << d.width) > WeightBits || d.weight >= WeightWords) return error_code_weight;
  if (d.listed == 1 && (d.op != acc_op_add || d.tap_h >= ListWords)) return error_code_weight;
  if (d.root == 1 && !lb_can_root<AccBits, RootBits>(d)) return error_code_result;
  if (!lb_can_join(d) || d.planes >= AccBits / ActBits || d.writes == 0 || d.writes > Words || d.lane % Lanes != 0 || d.lane >= Simd) return error_code_result;
  return error_code_none;
}

}  // namespace dfc
