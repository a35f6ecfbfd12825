// Core of the loopback engine: tokens, on-chip memories, array. In each step at once: a loaded bus word, an array step, a written
// result word and a stored bus word. One loop, II = 1; the memories belong to it alone.
#pragma once

#include "dfc_lb_load.hpp"
#include "dfc_lb_tokens.hpp"
#include "dfc_lb_value.hpp"

namespace dfc {

constexpr int LbTimeout = 65536;  // steps in which nothing moves

template <int Pe, int Simd, int ActWords, int WeightWords, int AccWords, int TreeLevels, int TreeBanks, int WeightBits, int AccBits,
          int ScaleBits, int RootBits, int ListWords, int CodeBits, int ActBits, int Pixels, int BusBits>
struct LbCore {
  static_assert(Pe % Simd == 0 || Simd % Pe == 0, "dfc::loopback: one of Pe and Simd must divide the other");
  static_assert(ScaleBits == 0 || TreeLevels > 2, "dfc::loopback: the words of a requantization lie among three levels of thresholds");
  static_assert(ScaleBits <= AccBits, "dfc::loopback: a multiplier must fit into a word of the thresholds");
  static_assert(ActBits * Simd % BusBits == 0 && Pe * AccBits % BusBits == 0, "dfc::loopback: memory words must be whole bus words");
  static const int Half = ActWords / 2;
  static const int ActBeats = ActBits * Simd / BusBits;
  static const int WeightBeats = Pe * Simd * WeightBits / BusBits;
  static const int Each = BusBits / 32;  // steps in a word of the lists
  static const int BusCodes = BusBits / ActBits;
  static const int Lanes = Pe < Simd ? Pe : Simd;
  static const int WeightLog = clog2(WeightBits);
  // A word of a memory that is loaded.
  using Place = ap_uint<index_bits(max_of(max_of(ActWords, WeightWords), max_of(ListWords, TreeBanks << TreeLevels)))>;

  // The memories, named and sized as in the SystemVerilog engine; the activations in two halves, a copy for each pixel.
  using Code = ap_int<ActBits>;  // a digit of one
  using Act = Code[Pixels][2][Half][Simd];
  using Weights = ap_uint<BusBits>[WeightWords][WeightBeats];
  using Kept = ap_int<AccBits>[Pixels][AccWords][Pe];
  using Lists = ap_uint<BusBits>[max_of(ListWords, 1)];
  using Tree = LbTree<TreeLevels - 1, TreeBanks, Pe, AccBits>;

  LbTokens tokens;
  ap_uint<4> error;
  lb_count_t index, steps;
  ranged<0, LbTimeout> still;
  ranged<0, LbSettle> quiet;
  bool ended;
  lb_count_t loads_taken, stores_taken;  // from their queues

  // Loads.
  LbHead<LbTransfer> load_head;
  LbLoads<Pe, Simd, TreeLevels, WeightBits, AccBits, CodeBits, ActBits, BusBits, Place> arrivals;

  // The tile that is walked; sums, and what the values of taps give so far.
  LbHead<LbCompute> compute_head;
  LbCompute d;
  LbWalk walk;
  lb_count_t tile;
  ap_uint<8> wait;
  bool walking;
  ap_int<AccBits> acc[Pixels][Pe], best[Pixels][Pe], joined[Pixels][Pe];
  ap_int<14> place[Pixels][Pe];

  // The result that is written.
  ap_int<AccBits> values[Pe];
  ap_uint<24> plane_at, plane_step;
  ap_uint<3> result_signals;
  ap_uint<3> plane, planes;
  ap_uint<6> word, words;
  ap_uint<7> lane;
  lb_count_t result_tile;
  bool writing, result_last;
  LbRoot<AccBits, RootBits> root;
  ap_uint<24> made_at, result_at;  // of the outputs that the array has just completed; of the next of those that wait
  ap_uint<3> made_more, behind;
  bool made_last, late_last;
  LbCompute late;  // of those that were completed with the one that is written, and wait for it
  ap_int<AccBits> held[Pixels][Pe];

  // Stores: the block under way.
  LbHead<LbTransfer> store_head;
  LbTransfer store;
  ap_uint<24> store_done;
  ap_uint<index_bits(ActBeats)> store_beat;
  ap_uint<index_bits(ActWords)> store_word;
  bool storing, closing;

  void start() {
    tokens.clear();
    error = int(error_code_none);
    index = steps = loads_taken = stores_taken = 0;
    still = 0;
    quiet = LbSettle;
    ended = load_head.valid = compute_head.valid = store_head.valid = walking = writing = storing = closing = false;
    root.left = 0;
    arrivals.start();
    wait = 0;
    behind = 0;
  }

  LbStatus status() const { return LbStatus{error, index, steps}; }

  void fault(int code, lb_count_t at) {
    if (error == error_code_none) {
      error = code;
      index = at;
    }
  }

  // One step; false after the last.
  // loads, computes, stores: the queues; reads, loaded: blocks to read and their words; writes, stored, written: blocks to write, their
  // words, and a pulse for each that is complete
  bool step(LbTransfers& loads, LbComputes& computes, LbTransfers& stores, LbBlocks& reads, LbWords<BusBits>& loaded, LbBlocks& writes,
            LbWords<BusBits>& stored, LbPulses& written, Act& act, Weights& weights, Kept& kept, Tree& tree, Lists& lists) {
    DFC_INLINE
    lb_registers(acc);
    lb_registers(best);
    lb_registers(joined);
    lb_registers(place);
    lb_registers(values);
    lb_registers(held);
    bool moved = tokens.step();
    moved |= load_head.fill(loads);
    moved |= compute_head.fill(computes);
    moved |= store_head.fill(stores);
    moved |= take_load(reads);
    moved |= take_store(writes);
    moved |= take_compute();
    if (ListWords > 0) {
      const unsigned number = walk.g.to_uint();
      const ap_uint<BusBits> listed = lists[(d.tap_h.to_uint() + number / Each) % max_of(ListWords, 1)];
      walk.entry = element<32>(listed, number % Each);
    }
    const bool stepping = walking && wait == 0, resting = wait > 0;
    bool looks[Pixels];
    ap_uint<24> address[Pixels];
    DFC_PARTITION(looks)
    DFC_PARTITION(address)
    for (int pixel = 0; pixel < Pixels; pixel++) {
      DFC_UNROLL
      looks[pixel] = stepping && walk.present(d, pixel);
      address[pixel] = walk.address(d, pixel);
      if (looks[pixel] && address[pixel] >= ActWords) fault(error_code_act_range, tile);
    }

    // One read of each bank of each copy: the array's, else of the first the store's.
    const int store_bank = half_of(store_word);
    Code codes[Pixels][2][Simd];
    DFC_PARTITION(codes)
    for (int pixel = 0; pixel < Pixels; pixel++) {
      DFC_UNROLL
      for (int b = 0; b < 2; b++) {
        DFC_UNROLL
        const unsigned row = row_of(pixel > 0 || (looks[pixel] && half_of(address[pixel]) == b) ? address[pixel] : ap_uint<24>(store_word));
        for (int k = 0; k < Simd; k++) {
          DFC_UNROLL
          codes[pixel][b][k] = act[pixel][b][row][k];
        }
      }
    }
    if (storing && !(looks[0] && half_of(address[0]) == store_bank)) {
      send(stored, codes[0][store_bank]);
      moved = true;
    }
    const bool made = stepping && compute(codes, address, looks, weights, kept);
    if (resting) wait--;
    const bool roots = root.left > 0;

    // One write of each bank: the result's, else the load's.
    const bool puts = writing;
    const ap_uint<24> to = plane_at + word;
    const Place at = arrivals.place();
    const bool to_act = arrivals.oldest().target == target_act;
    ap_uint<BusBits> data = 0;
    const bool takes = arrivals.count > 0 && !(puts && to_act && half_of(to) == half_of(at)) && lb_poll(loaded, data);
    if (puts && to >= ActWords) fault(error_code_act_range, result_tile);
    const bool result = puts && to < ActWords, codes_loaded = takes && to_act;
    if (result || codes_loaded) put_codes(act, result, to, codes_loaded, at, data);
    if (result) end_word();
    if (takes) {
      arrivals.put(weights, tree, lists, data);
      if (arrivals.end_bus_word()) tokens.give(unit_load, arrivals.signals);
      moved = true;
    }
    if (roots) writing = root.find(values);
    if (made || (behind > 0 && !writing)) finish_output(tree, made);
    ap_uint<1> pulse = 0;
    if (lb_poll(written, pulse)) {
      tokens.give(unit_store, store.signals);
      closing = false;
      moved = true;
    }
    if (stepping || puts || roots || behind > 0) quiet = 0;
    else if (quiet < LbSettle) quiet++;
    if (moved || stepping || resting || puts || roots) still = 0;
    else still++;
    steps++;
    const bool more = !over();
    if (!more) {  // the reader and the writer stop
      reads.write(LbBlock{0, 0});
      writes.write(LbBlock{0, 0});
    }
    return more;
  }

 private:
  // Half and row of a word of the activations.
  static int half_of(const ap_uint<24>& place) { return int(place.to_uint() / Half % 2); }
  static unsigned row_of(const ap_uint<24>& place) { return place.to_uint() % Half; }

  // Each queue starts its next descriptor when it may; after a fault it drops them.
  bool take_load(LbBlocks& blocks) {
    const bool halt = error != error_code_none;
    const LbTransfer& next = load_head.queued.descriptor;
    if (!load_head.valid || !(halt || (arrivals.count < LbRecords && tokens.ready(unit_load, next.waits)))) return false;
    load_head.valid = false;
    loads_taken++;
    if (halt) return true;
    tokens.take(unit_load, next.waits);
    blocks.write(LbBlock{next.address, next.beats});
    arrivals.add(next);
    return true;
  }

  bool take_store(LbBlocks& blocks) {
    const bool halt = error != error_code_none;
    const LbTransfer& next = store_head.queued.descriptor;
    if (!store_head.valid || !(halt || (!closing && tokens.ready(unit_store, next.waits)))) return false;
    store_head.valid = false;
    stores_taken++;
    if (halt) return true;
    tokens.take(unit_store, next.waits);
    blocks.write(LbBlock{next.address, next.beats});
    store = next;
    store_word = next.inner;
    store_done = 0;
    store_beat = 0;
    storing = closing = true;
    return true;
  }

  bool take_compute() {
    const bool halt = error != error_code_none;
    if (!compute_head.valid || ended || !(halt || (!walking && wait == 0 && may_walk()))) return false;
    const LbQueued<LbCompute>& next = compute_head.queued;
    compute_head.valid = false;
    ended = next.error != error_code_none || next.descriptor.opcode == opcode_finish;
    if (next.error != error_code_none) fault(next.error.to_int(), next.index);
    if (ended || halt) return true;
    d = next.descriptor;
    tile = next.index;
    tokens.take(unit_compute, d.waits);
    walk.start(d, clog2(Pixels));
    walking = true;
    wait = 0;
    return true;
  }

  // The end of the program passes; a tile waits for its tokens, and where it reads what tiles before wrote until that has settled.
  bool may_walk() const {
    const LbCompute& next = compute_head.queued.descriptor;
    if (compute_head.queued.error != error_code_none || next.opcode == opcode_finish) return true;
    return tokens.ready(unit_compute, next.waits) && ((next.drain == 0 && next.acc_load == 0) || quiet >= LbSettle);
  }

  // One step of the array; whether an output is complete.
  bool compute(const Code (&codes)[Pixels][2][Simd], const ap_uint<24> (&address)[Pixels], const bool (&inside)[Pixels], const Weights& weights,
               Kept& kept) {
    DFC_INLINE
    const unsigned at = (d.weight + (walk.weight >> WeightLog)).to_uint() % WeightWords, own = walk.acc_word.to_uint() % AccWords;
    const bool last = walk.last(d);
    ap_uint<BusBits> part[WeightBeats];
    DFC_PARTITION(part)
    for (int beat = 0; beat < WeightBeats; beat++) {
      DFC_UNROLL
      part[beat] = weights[at][beat];
    }
    lb_part<Pe * Simd, WeightBits>(part, ap_uint<WeightLog>(walk.weight).to_int());
    for (int pixel = 0; pixel < Pixels; pixel++) {
      DFC_UNROLL
      const int bank = half_of(address[pixel]);
      for (int row = 0; row < Pe; row++) {
        DFC_UNROLL
        ap_int<AccBits> dot = 0;
        for (int k = 0; k < Simd; k++) {
          DFC_UNROLL
          const Code x = inside[pixel] ? codes[pixel][bank][k] : Code(walk.pad(d));
          dot += x * lb_weight<WeightBits>(part, row * Simd + k, d.width.to_int());
        }
        ap_int<AccBits> so_far = acc[pixel][row];
        if (walk.shift(d)) so_far = (so_far << ActBits) + (d.op == acc_op_mul ? 1 << (ActBits - 1) : 0);
        if (walk.fresh(d)) so_far = lb_start<AccBits>(d, walk, kept[pixel][own][row]);
        acc[pixel][row] = so_far + dot;
        joined[pixel][row] = lb_join<AccBits>(d, walk, acc[pixel][row], best[pixel][row], place[pixel][row]);
        if (last && d.acc_store == 1) kept[pixel][own][row] = acc[pixel][row];
      }
    }
    made_more = walk.more(d);
    made_at = walk.dst_j;
    walk.step(d);
    made_last = walk.n == d.batch;
    if (made_last) walking = false;
    if (last) wait = d.idle;
    if (last && d.acc_store == 1 && made_last) tokens.give(unit_compute, d.signals);
    return last && d.acc_store == 0;
  }

  // An output goes to the writer: the first of those that the array has just completed, the others then wait; or one that waits.
  void finish_output(const Tree& tree, bool made) {
    DFC_INLINE
    if (made && (writing || root.left > 0 || behind > 0)) fault(error_code_result, tile);
    behind = made ? made_more : ap_uint<3>(behind - 1);
    if (made) {
      late = d;
      result_tile = tile;
      late_last = made_last;
    }
    for (int row = 0; row < Pe; row++) {
      DFC_UNROLL
      values[row] = lb_result<TreeLevels, ScaleBits>(late, lb_turn(held, joined, made, row), tree, row);
    }
    writing = error == error_code_none && !root.start(late, values[0]);
    result_last = late_last && behind == 0;
    result_signals = late.signals;
    plane = 0;
    word = 0;
    plane_at = made ? made_at : result_at;
    result_at = ap_uint<24>(plane_at + late.dst_w);
    plane_step = late.dst_p;
    planes = late.planes;
    words = late.writes;
    lane = late.lane;
  }

  // A word of a result, a plane of the codes of `Lanes` rows, goes to `to`, or a loaded bus word to `at`: of each half and lane there is one
  // store, of what the choice in front of it lets through.
  void put_codes(Act& act, bool result, const ap_uint<24>& to, bool load, const Place& at, const ap_uint<BusBits>& data) {
    DFC_INLINE
    Code made[Lanes];
    DFC_PARTITION(made)
    for (int k = 0; k < Lanes; k++) {
      DFC_UNROLL
      const ap_uint<ActBits> bits = ap_uint<ActBits>(values[word.to_int() * Lanes + k] >> (ActBits * plane.to_int()));
      made[k] = Code(plane != planes ? ap_uint<ActBits>(bits ^ (1 << (ActBits - 1))) : bits);
    }
    for (int half = 0; half < 2; half++) {
      DFC_UNROLL
      const bool results = result && half_of(to) == half, loads = load && half_of(at) == half;
      const unsigned row = row_of(results ? to : ap_uint<24>(at));
      for (int k = 0; k < Simd; k++) {
        DFC_UNROLL
        const bool own = results ? k / Lanes == lane.to_int() / Lanes : arrivals.beat == k / BusCodes;
        const Code loaded = Code(element<ActBits>(data, k % BusCodes));
        for (int pixel = 0; pixel < Pixels; pixel++) {
          DFC_UNROLL
          if ((results || loads) && own) act[pixel][half][row][k] = results ? made[k % Lanes] : loaded;
        }
      }
    }
  }

  void end_word() {
    word++;
    if (word < words) return;
    word = 0;
    plane_at += plane_step;
    const bool last = plane == planes;
    plane++;
    if (!last) return;
    writing = false;
    if (result_last) tokens.give(unit_compute, result_signals);
  }

  // A bus word of the block that is stored.
  void send(LbWords<BusBits>& stored, const Code (&codes)[Simd]) {
    ap_uint<BusBits> data = 0;
    for (int k = 0; k < BusCodes; k++) {
      DFC_UNROLL
      set_element<ActBits>(data, k, ap_uint<ActBits>(codes[store_beat.to_int() * BusCodes + k]));
    }
    stored.write(data);
    if (store_beat == ActBeats - 1) store_word++;
    store_beat = next_of<ActBeats>(store_beat);
    store_done++;
    storing = store_done < store.beats;
  }

  // Whether the run is over. After a fault what is under way outside is completed and the rest of the program dropped.
  bool over() {
    if (still == LbTimeout) {
      fault(error_code_timeout, tile);
      still = 0;
    }
    if (error != error_code_none) {
      walking = writing = root.stop();
      behind = 0;
    }
    const bool waiting = loads_taken != compute_head.queued.loads || stores_taken != compute_head.queued.stores;
    return ended && !waiting && !walking && !writing && behind == 0 && root.left == 0 && arrivals.count == 0 && !closing;
  }
};

}  // namespace dfc
