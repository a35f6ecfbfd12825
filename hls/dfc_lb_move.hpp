// External memory of the loopback engine: the program reader, and the readers and writers of blocks.
// Each is a process that takes a step, or a burst, at a time, so that processes can run beside one another.
#pragma once

#include "dfc_lb_check.hpp"

namespace dfc {

constexpr int LbBurst = 16;  // bus words of an AXI burst at most

// A read that does not wait, from a stream between two processes; whether there was something. What comes when depends on the memory, so
// the core cannot say in which order it reads. Both tools have it, under names of their own.
template <class T>
inline bool lb_poll(hls::stream<T>& stream, T& found) {
  DFC_INLINE
  T next;
#ifdef __BAMBU__
  const bool is_there = stream.nb_read(next);
#else
  const bool is_there = stream.read_nb(next);
#endif
  if (is_there) found = next;
  return is_there;
}

// An array of registers, as a pragma sees a member: by an argument.
template <class T>
inline void lb_registers(T& array) {
  DFC_INLINE
  DFC_PRAGMA(HLS array_partition variable = array complete dim = 0)
  (void)array;
}

// What a reader or writer does: so many bus words from a byte address on; none: stop.
struct LbBlock {
  ap_uint<32> address;
  ap_uint<24> beats;
};

// Numbers of descriptors and of steps: registers of the engine say them, and only a program's length in bytes bounds them.
using lb_count_t = std::uint32_t;
// Place of a bus word of external memory.
using lb_place_t = ap_uint<32>;

// A descriptor on its way to its queue, with its number, and how many went to the other two queues before it. The compute queue also
// carries the end of the program: opcode FINISH, or an error.
template <class D>
struct LbQueued {
  D descriptor;
  lb_count_t index;
  ap_uint<4> error;
  lb_count_t loads, stores;
};

using LbTransfers = hls::stream<LbQueued<LbTransfer>>;
using LbComputes = hls::stream<LbQueued<LbCompute>>;
using LbBlocks = hls::stream<LbBlock>;
using LbPulses = hls::stream<ap_uint<1>>;
template <int BusBits>
using LbWords = hls::stream<ap_uint<BusBits>>;

// What a run ends with: error code, number of the descriptor it stopped at, steps of the core.
struct LbStatus {
  ap_uint<4> error;
  lb_count_t index, steps;
};

// Reads the program, checks descriptors, sends them to their queues.
template <int Pe, int Simd, int ActWords, int WeightWords, int TreeLevels, int TreeBanks, int WeightBits, int AccBits, int ScaleBits,
          int RootBits, int ListWords, int CodeBits, int ActBits, int RepeatBits, int BusBits>
struct LbFetch {
  lb_place_t at, end;
  lb_place_t body, body_end;     // of a loop, whose turns are read one after the other
  ap_uint<24> turns_left, turn;  // turns to read, and the number of this one
  lb_count_t index, sent_loads, sent_stores;

  LbFetch(unsigned program, unsigned bytes)
      : at(program / (BusBits / 8)), end(at + bytes / (BusBits / 8)), body(0), body_end(0), turns_left(0), turn(0), index(0), sent_loads(0),
        sent_stores(0) {}

  // The next bus word is the first of another turn where this one is read.
  void next_turn() {
    if (turns_left == 0 || at != body_end) return;
    turns_left--;
    turn++;
    if (turns_left == 0) turn = 0;
    else at = body;
  }

  // Whether it is a REPEAT of a loop, which is read from now on.
  bool repeats(const LbTransfer& d) {
    if (RepeatBits == 0 || d.opcode != opcode_repeat || turns_left != 0) return false;
    if (d.inner == 0 || (d.inner >> RepeatBits) != 0 || d.beats == 0 || d.beats > end - at) return false;
    body = at;
    body_end = at + d.beats;
    turns_left = d.inner;
    turn = 0;
    return true;
  }

  // A tile of one output is moved on with the turns.
  void move(LbCompute& d) const {
    if (RepeatBits == 0 || d.width_out != 1) return;
    d.src = ap_uint<24>(d.src + d.src_w * turn);
    d.dst = ap_uint<24>(d.dst + d.dst_w * turn);
  }

  // One descriptor.
  bool step(const ap_uint<BusBits>* code, hls::stream<LbQueued<LbTransfer>>& loads, hls::stream<LbQueued<LbCompute>>& computes,
            hls::stream<LbQueued<LbTransfer>>& stores) {
    ap_uint<LbCompute::Bits> bits = 0;
    ap_uint<index_bits(LbCompute::Bits / BusBits + 1)> words = LbTransfer::Bits / BusBits;
    bool whole = at + words <= end;
    for (int k = 0; k < words && at < end; k++) {
      DFC_PIPELINE(1)
      const ap_uint<BusBits> word = code[at.to_uint()];
      at++;
      set_element<BusBits>(bits, k, word);
      if (k == 0 && ap_uint<4>(word) == opcode_compute) {
        words = LbCompute::Bits / BusBits;
        whole = at + words - 1 <= end;
      }
    }
    const LbTransfer transfer = lb_unpack_transfer(ap_uint<LbTransfer::Bits>(bits));
    LbCompute compute = lb_unpack_compute(bits);
    if (whole && repeats(transfer)) return true;
    move(compute);
    next_turn();
    const ap_uint<4> error = whole ? lb_error(transfer, compute) : int(error_code_length);
    const bool over = error != error_code_none || transfer.opcode == opcode_finish;
    if (over || transfer.opcode == opcode_compute) {
      computes.write(LbQueued<LbCompute>{compute, index, error, sent_loads, sent_stores});
    } else if (transfer.opcode == opcode_load) {
      loads.write(LbQueued<LbTransfer>{transfer, index, 0, sent_loads, sent_stores});
      sent_loads++;
    } else {
      stores.write(LbQueued<LbTransfer>{transfer, index, 0, sent_loads, sent_stores});
      sent_stores++;
    }
    index++;
    return !over;
  }

  static int lb_error(const LbTransfer& transfer, const LbCompute& compute) {
    constexpr int TreeWords = TreeBanks << TreeLevels;
    const bool fits = lb_block_fits<Pe, Simd, ActWords, WeightWords, TreeWords, WeightBits, AccBits, ListWords, CodeBits, ActBits, BusBits>(transfer);
    if (transfer.opcode == opcode_finish) return error_code_none;
    if (transfer.opcode == opcode_compute) {
      return lb_check<Pe, Simd, WeightWords, TreeLevels, TreeBanks, WeightBits, AccBits, ScaleBits, RootBits, ListWords, ActBits>(compute);
    }
    if (transfer.opcode == opcode_load) return fits ? error_code_none : error_code_transfer;
    if (transfer.opcode == opcode_store) return fits && transfer.target == target_act ? error_code_none : error_code_transfer;
    return error_code_opcode;
  }
};

// The block under way, burst by burst.
template <int BusBits>
struct LbBursts {
  lb_place_t at = 0;
  ap_uint<24> left = 0;

  // Takes the next block where none is under way; false behind the last one.
  bool begin(LbBlocks& blocks) {
    if (left != 0) return true;
    const LbBlock block = blocks.read();
    at = block.address >> clog2(BusBits / 8);
    left = block.beats;
    return left != 0;
  }
  unsigned count() const { return left < LbBurst ? left.to_uint() : unsigned(LbBurst); }
  void end() {
    const unsigned moved = count();
    at += moved;
    left -= moved;
  }
};

// Reads blocks.
template <int BusBits>
struct LbReader : LbBursts<BusBits> {
  void burst(const ap_uint<BusBits>* memory, LbWords<BusBits>& words) {
    const unsigned count = this->count();
    for (unsigned k = 0; k < count; k++) {
      DFC_PIPELINE(1)
      words.write(memory[this->at.to_uint() + k]);
    }
    this->end();
  }
};

// Writes blocks, and says when one is complete.
template <int BusBits>
struct LbWriter : LbBursts<BusBits> {
  void burst(ap_uint<BusBits>* memory, LbWords<BusBits>& words, LbPulses& written) {
    const unsigned count = this->count();
    for (unsigned k = 0; k < count; k++) {
      DFC_PIPELINE(1)
      memory[this->at.to_uint() + k] = words.read();
    }
    this->end();
    if (this->left == 0) written.write(1);
  }
};

}  // namespace dfc
