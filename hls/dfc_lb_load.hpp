// Loads of the loopback engine that are under way, and where the next bus word of the oldest goes, as in dfc_lb_load.sv.
#pragma once

#include "dfc_lb_move.hpp"
#include "dfc_lb_value.hpp"

namespace dfc {

constexpr int LbRecords = 4;  // loads under way

// What slice `beat` of a word of weights gets of a bus word of numbers of levels, of Bits bits each.
template <int Bits, int WeightBits, int BusBits>
inline ap_uint<BusBits> lb_levels(const ap_uint<8> (&levels)[16], const ap_uint<BusBits>& numbers, int beat) {
  DFC_INLINE
  constexpr int Ratio = Bits < WeightBits ? WeightBits / Bits : 1, Each = BusBits / WeightBits;
  ap_uint<BusBits> found = 0;
  for (int e = 0; e < Each; e++) {
    DFC_UNROLL
    const ap_uint<Bits> number = element<Bits>(numbers, beat % Ratio * Each + e);
    set_element<WeightBits>(found, e, ap_uint<WeightBits>(levels[number.to_int()]));
  }
  return found;
}

template <int Pe, int Simd, int TreeLevels, int WeightBits, int AccBits, int CodeBits, int ActBits, int BusBits, class Place>
struct LbLoads {
  static const int ActBeats = ActBits * Simd / BusBits;
  static const int WeightBeats = Pe * Simd * WeightBits / BusBits;
  static const int TreeBeats = Pe * AccBits / BusBits;
  static const int BusBytes = BusBits / 8;
  using Beat = ap_uint<index_bits(max_of(max_of(ActBeats, WeightBeats), TreeBeats))>;

  LbTransfer records[LbRecords];
  ap_uint<clog2(LbRecords)> first;
  ranged<0, LbRecords> count;
  ap_uint<24> done;  // bus words
  Beat beat;         // of the word that comes
  Place word;
  ap_uint<8> levels[16];
  ap_uint<3> signals;  // of the block that has just ended

  void start() {
    first = 0;
    count = 0;
    done = 0;
    beat = 0;
    word = 0;
  }
  void add(const LbTransfer& next) {
    records[ap_uint<clog2(LbRecords)>(first + count).to_uint()] = next;
    count++;
  }
  const LbTransfer& oldest() const { return records[first.to_uint()]; }
  Place place() const { return oldest().inner + word; }
  int coded() const { return CodeBits > 0 ? oldest().coded.to_int() : 0; }
  // Whether the bus word is one of the levels before numbers of them.
  bool brings_levels() const { return coded() != 0 && done < lb_table_beats(BusBits); }

  // A bus word into its bank of the weights, thresholds or lists.
  template <int WeightWords, int ListWords, class Tree>
  void put(ap_uint<BusBits> (&weights)[WeightWords][WeightBeats], Tree& tree, ap_uint<BusBits> (&lists)[ListWords], const ap_uint<BusBits>& data) {
    DFC_INLINE
    lb_registers(records);
    lb_registers(levels);
    const LbTransfer& record = oldest();
    const int at = place().to_int(), numbers = coded();
    const bool is_levels = brings_levels();
    for (int k = 0; k < 16; k++) {
      DFC_UNROLL
      if (is_levels && done == k / BusBytes) levels[k] = element<8>(data, k % BusBytes);
    }
    for (int slice = 0; slice < WeightBeats; slice++) {
      DFC_UNROLL
      const int own = numbers == 0   ? slice
                      : numbers == 1 ? slice / WeightBits
                      : numbers == 2 ? slice / (WeightBits / 2)
                                     : slice / max_of(WeightBits / 4, 1);
      ap_uint<BusBits> next = data;
      if (numbers == 1) next = lb_levels<1, WeightBits>(levels, data, slice);
      if (numbers == 2) next = lb_levels<2, WeightBits>(levels, data, slice);
      if (numbers == 3) next = lb_levels<4, WeightBits>(levels, data, slice);
      if (record.target == target_weight && !is_levels && beat == own) weights[at][slice] = next;
    }
    if (record.target == target_list) lists[at] = data;
    if (record.target == target_tree) tree.put(at >> TreeLevels, at % (1 << TreeLevels), beat.to_int(), data);
  }

  // Bus words of a word of the memory that is loaded.
  int word_beats() const {
    if (oldest().target == target_act) return ActBeats;
    if (oldest().target == target_tree) return TreeBeats;
    if (oldest().target == target_list) return 1;
    if (coded() == 1) return lb_code_beats(Pe * Simd, 1, BusBits);
    if (coded() == 2) return lb_code_beats(Pe * Simd, 2, BusBits);
    return coded() == 3 ? lb_code_beats(Pe * Simd, 4, BusBits) : WeightBeats;
  }

  // A bus word is where it belongs; whether it was the last of its block.
  bool end_bus_word() {
    const bool fills = beat == word_beats() - 1;
    if (!brings_levels()) {
      beat = fills ? Beat(0) : Beat(beat + 1);
      if (fills) word++;
    }
    done++;
    if (done < oldest().beats) return false;
    signals = oldest().signals;
    done = 0;
    beat = 0;
    word = 0;
    first++;
    count--;
    return true;
  }
};

}  // namespace dfc
