// Loopback engine: runs the program of a network that lies in external memory. See docs/loopback.md.
// One call is one run; descriptors execute in program order, which their tokens always allow. Compute loop: II = 1, a step as in hardware.
#pragma once

#include "dfc_lb_descriptor.hpp"

namespace dfc {

// The on-chip memories, named and sized as in the SystemVerilog engine.
template <int Pe, int Simd, int ActWords, int WeightWords, int AccWords, int TreeLevels, int TreeBanks, int WeightBits, int AccBits,
          int BusBits>
struct LbMemories {
  static const int ActBeats = 8 * Simd / BusBits;
  static const int WeightBeats = Pe * Simd * WeightBits / BusBits;
  static const int TreeBeats = Pe * AccBits / BusBits;
  ap_int<8> act[ActWords][Simd];
  ap_uint<BusBits> weights[WeightWords][WeightBeats];
  ap_int<AccBits> tree[TreeBanks << TreeLevels][Pe];
  ap_int<AccBits> acc[AccWords][Pe];
};

// Whether a block of external memory may be moved: whole words, inside its memory, aligned.
template <class M, int ActWords, int WeightWords, int TreeWords, int BusBits>
inline bool lb_block_fits(const LbTransfer& d) {
  if (d.target > target_tree || d.beats == 0 || d.address % (BusBits / 8) != 0) return false;
  const unsigned size = d.target == target_act ? ActWords : d.target == target_weight ? WeightWords : TreeWords;
  const unsigned beats = d.target == target_act ? M::ActBeats : d.target == target_weight ? M::WeightBeats : M::TreeBeats;
  return d.beats % beats == 0 && d.inner + d.beats / beats <= size;
}

// External memory to one of the on-chip memories.
template <int Pe, int Simd, int AccBits, int BusBits, class M>
inline void lb_load(const ap_uint<BusBits>* memory, const LbTransfer& d, M& on_chip) {
  const unsigned first = d.address / (BusBits / 8);
  unsigned word = d.inner;
  int beat = 0;
  for (unsigned i = 0; i < d.beats; i++) {
    DFC_PIPELINE(1)
    const ap_uint<BusBits> data = memory[first + i];
    int beats = M::ActBeats;
    if (d.target == target_act) {
      for (int k = 0; k < BusBits / 8; k++) {
        DFC_UNROLL
        on_chip.act[word][beat * (BusBits / 8) + k] = ap_int<8>(element<8>(data, k));
      }
    } else if (d.target == target_weight) {
      beats = M::WeightBeats;
      on_chip.weights[word][beat] = data;
    } else {
      beats = M::TreeBeats;
      for (int k = 0; k < BusBits / AccBits; k++) {
        DFC_UNROLL
        on_chip.tree[word][beat * (BusBits / AccBits) + k] = ap_int<AccBits>(element<AccBits>(data, k));
      }
    }
    if (++beat == beats) {
      beat = 0;
      word++;
    }
  }
}

// Activation memory to external memory.
template <int Simd, int BusBits, class M>
inline void lb_store(ap_uint<BusBits>* memory, const LbTransfer& d, const M& on_chip) {
  const unsigned first = d.address / (BusBits / 8);
  unsigned word = d.inner;
  int beat = 0;
  for (unsigned i = 0; i < d.beats; i++) {
    DFC_PIPELINE(1)
    ap_uint<BusBits> data = 0;
    for (int k = 0; k < BusBits / 8; k++) {
      DFC_UNROLL
      set_element<8>(data, k, ap_uint<8>(on_chip.act[word][beat * (BusBits / 8) + k]));
    }
    memory[first + i] = data;
    if (++beat == M::ActBeats) {
      beat = 0;
      word++;
    }
  }
}

// Address generator: the loops of a compute descriptor, innermost last.
struct LbWalk {
  unsigned n, i, j, p, ky, kx, g, acc_word, weight;
  ap_uint<24> src_n, src_i, src_j, tap_y, tap_x, tap, dst_n, dst_i, dst_j;  // tap: word 0 of the tap in this pass
  ap_int<14> y_i, y, x_j, x;

  void start(const LbCompute& d) {
    n = i = j = p = ky = kx = g = acc_word = weight = 0;
    src_n = src_i = src_j = tap_y = tap_x = tap = d.src;
    dst_n = dst_i = dst_j = d.dst;
    y_i = y = ap_int<14>(d.y_first);
    x_j = x = ap_int<14>(d.x_first);
  }
  // With ADD the taps of a pass follow one another, else the passes of a tap.
  static bool inner(const LbCompute& d) { return d.op != acc_op_add; }
  static bool picks(const LbCompute& d) { return d.op == acc_op_argmax || d.op == acc_op_argmax_last; }
  static bool shifts(const LbCompute& d, unsigned pass) {
    return (pass == 1 && d.shift_1 == 1) || (pass == 2 && d.shift_2 == 1) || (pass == 3 && d.shift_3 == 1);
  }
  bool first_tap() const { return kx == 0 && ky == 0; }
  bool fresh(const LbCompute& d) const { return g == 0 && (inner(d) ? !shifts(d, p) : first_tap() && p == 0); }
  bool shift(const LbCompute& d) const { return g == 0 && (inner(d) || first_tap()) && shifts(d, p); }
  bool words_last(const LbCompute& d) const { return g + 1 == d.words; }
  bool ends(const LbCompute& d) const { return words_last(d) && (p == d.passes || !shifts(d, p + 1)); }
  bool last(const LbCompute& d) const { return words_last(d) && kx + 1 == d.kernel_w && ky + 1 == d.kernel_h && p == d.passes; }
  bool present(const LbCompute& d) const { return y >= 0 && y < ap_int<15>(d.y_size) && x >= 0 && x < ap_int<15>(d.x_size); }
  ap_uint<24> address() const { return tap + ap_uint<24>(g); }
  ap_int<8> pad(const LbCompute& d) const { return ap_int<8>(p == 0 ? d.pad : p == 1 ? d.pad_1 : p == 2 ? d.pad_2 : d.pad_3); }

  void next_output(const LbCompute& d) {
    p = 0;
    acc_word++;
    if (++j < d.width_out) {
      src_j += d.src_w;
      dst_j += d.dst_w;
      x_j += d.x_step;
    } else {
      j = 0;
      x_j = ap_int<14>(d.x_first);
      if (++i < d.height) {
        src_i += d.src_h;
        dst_i += d.dst_h;
        y_i += d.y_step;
      } else {
        i = 0;
        n++;
        src_n += d.src_n;
        dst_n += d.dst_n;
        src_i = src_n;
        dst_i = dst_n;
        y_i = ap_int<14>(d.y_first);
      }
      src_j = src_i;
      dst_j = dst_i;
    }
    tap_y = tap_x = tap = src_j;
    y = y_i;
    x = x_j;
  }

  void step(const LbCompute& d) {
    const ap_uint<24> offset = p == 0 ? d.offset_1 : p == 1 ? d.offset_2 : d.offset_3;
    const bool ends_words = words_last(d), ends_tap = ends_words && (!inner(d) || p == d.passes);
    const bool ends_row = ends_tap && kx + 1 == d.kernel_w, ends_taps = ends_row && ky + 1 == d.kernel_h;
    const bool ends_pass = inner(d) ? ends_words : ends_taps;
    const bool restart = last(d) || (ends_pass && d.reset == weight_reset_pass) || (ends_words && d.reset == weight_reset_tap) ||
                         (ends_row && d.reset == weight_reset_row);
    weight = restart ? 0 : weight + 1;
    g = ends_words ? 0 : g + 1;
    if (!ends_tap) {
      if (ends_words) {
        tap = tap_x + offset;
        p++;
      }
      return;
    }
    if (inner(d)) p = 0;
    tap = tap_x = tap_x + d.tap_w;
    x += d.x_tap;
    if (!ends_row) {
      kx++;
      return;
    }
    kx = 0;
    tap = tap_x = tap_y = tap_y + d.tap_h;
    y += d.y_tap;
    if (!picks(d)) x = x_j;
    if (!ends_taps) {
      ky++;
      return;
    }
    ky = 0;
    if (inner(d) || p == d.passes) {
      next_output(d);
      return;
    }
    tap = tap_y = tap_x = src_j + offset;
    y = y_i;
    p++;
  }
};

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

// The code or sum of one row: thresholds in search order, a table by their count, or the bias.
template <int TreeLevels, int AccBits, class Tree>
inline ap_int<AccBits> lb_result(const LbCompute& d, const ap_int<AccBits>& sum, const Tree& tree, int row) {
  DFC_INLINE
  const int bank = int(d.bank) << TreeLevels;  // a shift of ap_uint keeps its width
  if (d.levels == 0) return ap_int<AccBits>(sum + tree[bank][row]);
  constexpr int Half = 1 << (TreeLevels - 1);
  unsigned count = 0;
  for (int level = 0; level < TreeLevels; level++) {
    DFC_UNROLL
    if (level < d.levels) count = 2 * count + (sum >= tree[bank + (1 << level) + count][row] ? 1 : 0);
  }
  if (d.lookup == 1) return ap_int<AccBits>(tree[bank + Half + count][row] + tree[bank][row]);
  if (tree[bank][row][0]) count ^= (1u << d.levels) - 1;
  return ap_int<AccBits>((count << d.twice) + d.lowest);
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

// One tile. Returns false when an address lies outside the activation memory or a result comes before the last is written.
template <int Pe, int Simd, int ActWords, int WeightWords, int AccWords, int TreeLevels, int WeightBits, int AccBits, int BusBits, class M>
inline int lb_compute(const LbCompute& d, M& on_chip) {
  constexpr int Lanes = Pe < Simd ? Pe : Simd;
  const int below = clog2(WeightBits) - int(d.width);
  LbWalk walk;
  walk.start(d);
  ap_int<AccBits> acc[Pe], best[Pe], joined[Pe], values[Pe];
  ap_int<14> place[Pe];
  DFC_PARTITION(acc)
  DFC_PARTITION(best)
  DFC_PARTITION(joined)
  DFC_PARTITION(place)
  DFC_PARTITION(values)
  ap_uint<24> to = 0, plane_at = 0;
  unsigned plane = 0, word = 0, wait = 0;
  bool active = false;
  while (walk.n < d.batch || active) {
    DFC_PIPELINE(1)
    bool made = false;
    if (wait > 0) {
      wait--;
    } else if (walk.n < d.batch) {
      if (walk.present(d) && walk.address() >= ActWords) return error_code_act_range;
      const int at = (d.weight + (walk.weight >> below)) % WeightWords;
      const int part = walk.weight & ((1 << below) - 1);
      for (int row = 0; row < Pe; row++) {
        DFC_UNROLL
        ap_int<AccBits> dot = 0;
        for (int lane = 0; lane < Simd; lane++) {
          DFC_UNROLL
          const ap_int<8> x = walk.present(d) ? on_chip.act[walk.address()][lane] : walk.pad(d);
          dot += x * lb_weight<Pe * Simd, WeightBits, BusBits>(on_chip.weights[at], part, row * Simd + lane, d.width);
        }
        ap_int<AccBits> so_far = acc[row];
        if (walk.shift(d)) so_far = (so_far << 8) + (d.op == acc_op_mul ? 128 : 0);
        if (walk.fresh(d)) so_far = lb_start<AccBits>(d, walk, on_chip.acc[walk.acc_word % AccWords][row]);
        acc[row] = so_far + dot;
        joined[row] = lb_join<AccBits>(d, walk, acc[row], best[row], place[row]);
        if (walk.last(d) && d.acc_store == 1) on_chip.acc[walk.acc_word % AccWords][row] = acc[row];
      }
      made = walk.last(d) && d.acc_store == 0;
      if (walk.last(d)) wait = d.idle;
      to = made ? walk.dst_j : to;
      walk.step(d);
    }
    if (active) {
      const ap_uint<24> address = plane_at + ap_uint<24>(word);
      if (address >= ActWords) return error_code_act_range;
      for (int k = 0; k < Lanes; k++) {
        DFC_UNROLL
        const ap_uint<8> bits = ap_uint<8>(values[word * Lanes + k] >> (8 * plane));
        on_chip.act[address][d.lane + k] = ap_int<8>(plane != d.planes ? ap_uint<8>(bits ^ 128) : bits);
      }
      if (++word == d.writes) {
        word = 0;
        plane_at += d.dst_p;
        active = plane++ != d.planes;
      }
    }
    if (made) {
      if (active) return error_code_result;
      for (int row = 0; row < Pe; row++) {
        DFC_UNROLL
        values[row] = lb_result<TreeLevels, AccBits>(d, joined[row], on_chip.tree, row);
      }
      active = true;
      plane = word = 0;
      plane_at = to;
    }
  }
  return error_code_none;
}

// Only sums are kept in parts; a product has two factors of one tap, everything else one value a tap.
inline bool lb_can_join(const LbCompute& d) {
  if (d.op == acc_op_add) return true;
  int factors = 1;
  for (unsigned pass = 1; pass <= 3; pass++) {
    if (pass <= d.passes && !LbWalk::shifts(d, pass)) factors++;
  }
  const bool one_tap = d.kernel_h == 1 && d.kernel_w == 1;
  return d.op <= acc_op_mul && d.acc_load == 0 && d.acc_store == 0 && (d.op == acc_op_mul ? factors == 2 && one_tap : factors == 1);
}

// The checks of a compute descriptor, in the order in which the engine reports them.
template <int Pe, int Simd, int WeightWords, int TreeLevels, int TreeBanks, int WeightBits>
inline int lb_check(const LbCompute& d) {
  constexpr int Lanes = Pe < Simd ? Pe : Simd;
  constexpr int Words = Pe > Simd ? Pe / Simd : 1;
  if (d.batch == 0 || d.height == 0 || d.width_out == 0 || d.kernel_h == 0 || d.kernel_w == 0 || d.words == 0) return error_code_loop;
  if (d.levels > TreeLevels || d.bank >= TreeBanks || (d.lookup == 1 && (d.levels == 0 || d.levels == TreeLevels))) return error_code_tree;
  if ((1 << d.width) > WeightBits || d.weight >= WeightWords) return error_code_weight;
  if (!lb_can_join(d) || d.writes == 0 || d.writes > Words || d.lane % Lanes != 0 || d.lane >= Simd) return error_code_result;
  return error_code_none;
}

// Runs the program of `bytes` bytes at byte address `program`; the error code, and the number of the descriptor it stopped at.
template <int Pe, int Simd, int ActWords, int WeightWords, int AccWords, int TreeLevels, int TreeBanks, int WeightBits, int AccBits,
          int BusBits>
int loopback(ap_uint<BusBits>* memory, unsigned program, unsigned bytes, unsigned& index) {
  using M = LbMemories<Pe, Simd, ActWords, WeightWords, AccWords, TreeLevels, TreeBanks, WeightBits, AccBits, BusBits>;
  static_assert(Pe % Simd == 0 || Simd % Pe == 0, "dfc::loopback: one of Pe and Simd must divide the other");
  static_assert(8 * Simd % BusBits == 0 && Pe * AccBits % BusBits == 0, "dfc::loopback: memory words must be whole bus words");
  static M on_chip;
  unsigned at = program / (BusBits / 8);
  const unsigned end = at + bytes / (BusBits / 8);
  for (index = 0; at + LbTransfer::Bits / BusBits <= end; index++) {
    ap_uint<LbCompute::Bits> bits = 0;
    int words = LbTransfer::Bits / BusBits;
    for (int k = 0; k < words && at < end; k++) {
      const ap_uint<BusBits> word = memory[at++];
      set_element<BusBits>(bits, k, word);
      if (k == 0 && ap_uint<4>(word) == opcode_compute) words = LbCompute::Bits / BusBits;
    }
    const LbTransfer transfer = lb_unpack_transfer(ap_uint<LbTransfer::Bits>(bits));
    const bool fits = lb_block_fits<M, ActWords, WeightWords, (TreeBanks << TreeLevels), BusBits>(transfer);
    if (transfer.opcode == opcode_finish) return error_code_none;
    if (transfer.opcode == opcode_compute) {
      const LbCompute d = lb_unpack_compute(bits);
      int error = lb_check<Pe, Simd, WeightWords, TreeLevels, TreeBanks, WeightBits>(d);
      if (error == 0) error = lb_compute<Pe, Simd, ActWords, WeightWords, AccWords, TreeLevels, WeightBits, AccBits, BusBits>(d, on_chip);
      if (error != 0) return error;
    } else if (transfer.opcode == opcode_load) {
      if (!fits) return error_code_transfer;
      lb_load<Pe, Simd, AccBits, BusBits>(memory, transfer, on_chip);
    } else if (transfer.opcode == opcode_store) {
      if (!fits || transfer.target != target_act) return error_code_transfer;
      lb_store<Simd, BusBits>(memory, transfer, on_chip);
    } else {
      return error_code_opcode;
    }
  }
  return error_code_length;
}

}  // namespace dfc
