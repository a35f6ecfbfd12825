// Loopback engine: runs the program of a network that lies in external memory. See docs/loopback.md.
// Four processes at once, joined by streams: program reader, block reader, core and block writer. One call is one run.
#pragma once

#include "dfc_lb_core.hpp"

namespace dfc {

template <class Fetch, int BusBits>
void lb_fetch(const ap_uint<BusBits>* code, unsigned program, unsigned bytes, LbTransfers& loads, LbComputes& computes, LbTransfers& stores) {
  Fetch fetch(program, bytes);
  bool more = true;
  while (more) more = fetch.step(code, loads, computes, stores);
}

template <int BusBits>
void lb_read(const ap_uint<BusBits>* source, LbBlocks& blocks, LbWords<BusBits>& words) {
  LbReader<BusBits> reader;
  while (reader.begin(blocks)) reader.burst(source, words);
}

template <int BusBits>
void lb_write(ap_uint<BusBits>* destination, LbBlocks& blocks, LbWords<BusBits>& words, LbPulses& written) {
  LbWriter<BusBits> writer;
  while (writer.begin(blocks)) writer.burst(destination, words, written);
}

template <class Core, int BusBits>
void lb_core(LbTransfers& loads, LbComputes& computes, LbTransfers& stores, LbBlocks& reads, LbWords<BusBits>& loaded, LbBlocks& writes,
             LbWords<BusBits>& stored, LbPulses& written, LbStatus& status) {
  static Core core;
  static typename Core::Act act;
  static typename Core::Weights weights;
  static typename Core::Kept kept;
  static typename Core::Tree tree;
  static typename Core::Lists lists;
  DFC_PRAGMA(HLS array_partition variable = act complete dim = 1)
  DFC_PRAGMA(HLS array_partition variable = act complete dim = 2)
  DFC_PRAGMA(HLS array_partition variable = act complete dim = 4)
  DFC_PRAGMA(HLS array_partition variable = weights complete dim = 2)
  DFC_PRAGMA(HLS array_partition variable = kept complete dim = 1)
  DFC_PRAGMA(HLS array_partition variable = kept complete dim = 3)
  core.start();
  bool more = true;
  while (more) {
    DFC_PIPELINE(1)
    // Tokens and drains keep a write and what reads it so many steps apart. Nothing that is read from the weights or thresholds is ever
    // written to them: no cycle through these.
    DFC_DISTANCE(act, LbArrive)
    DFC_DISTANCE(kept, LbSettle)
    more = core.step(loads, computes, stores, reads, loaded, writes, stored, written, act, weights, kept, tree, lists);
  }
  status = core.status();
}

// Runs the program of `bytes` bytes at byte address `program`. `code`, `source` and `destination` are the same external memory.
template <int Pe, int Simd, int ActWords, int WeightWords, int AccWords, int TreeLevels, int TreeBanks, int WeightBits, int AccBits,
          int ScaleBits, int RootBits, int ListWords, int CodeBits, int ActBits, int RepeatBits, int Pixels, int BusBits>
void loopback(const ap_uint<BusBits>* code, const ap_uint<BusBits>* source, ap_uint<BusBits>* destination, unsigned program, unsigned bytes,
              LbStatus& status) {
  DFC_PRAGMA(HLS dataflow)
  using Fetch = LbFetch<Pe, Simd, ActWords, WeightWords, TreeLevels, TreeBanks, WeightBits, AccBits, ScaleBits, RootBits, ListWords, CodeBits, ActBits,
                        RepeatBits, BusBits>;
  using Core = LbCore<Pe, Simd, ActWords, WeightWords, AccWords, TreeLevels, TreeBanks, WeightBits, AccBits, ScaleBits, RootBits, ListWords, CodeBits,
                      ActBits, Pixels, BusBits>;
  LbTransfers loads, stores;
  LbComputes computes;
  LbBlocks reads, writes;
  LbWords<BusBits> loaded, stored;
  LbPulses written;
  DFC_PRAGMA(HLS stream variable = loads depth = 16)
  DFC_PRAGMA(HLS stream variable = computes depth = 16)
  DFC_PRAGMA(HLS stream variable = stores depth = 16)
  DFC_PRAGMA(HLS stream variable = reads depth = 8)
  DFC_PRAGMA(HLS stream variable = writes depth = 4)
  DFC_PRAGMA(HLS stream variable = loaded depth = 64)
  DFC_PRAGMA(HLS stream variable = stored depth = 64)
  DFC_PRAGMA(HLS stream variable = written depth = 4)
#ifndef DFC_FIBERS
  lb_fetch<Fetch, BusBits>(code, program, bytes, loads, computes, stores);
  lb_read<BusBits>(source, reads, loaded);
  lb_core<Core, BusBits>(loads, computes, stores, reads, loaded, writes, stored, written, status);
  lb_write<BusBits>(destination, writes, stored, written);
#else
  // The core never waits, so no fiber would follow it: the processes take turns, a step each, of what is there.
  static Core core;
  static typename Core::Act act;
  static typename Core::Weights weights;
  static typename Core::Kept kept;
  static typename Core::Tree tree;
  static typename Core::Lists lists;
  Fetch fetch(program, bytes);
  LbReader<BusBits> reader;
  LbWriter<BusBits> writer;
  bool fetching = true, reading = true, writing = true, more = true;
  core.start();
  while (more || reading || writing) {
    fetching = fetching && fetch.step(code, loads, computes, stores);
    if (reading && (reader.left != 0 || !reads.empty())) reading = reader.begin(reads);
    if (reader.left != 0) reader.burst(source, loaded);
    more = more && core.step(loads, computes, stores, reads, loaded, writes, stored, written, act, weights, kept, tree, lists);
    if (writing && (writer.left != 0 || !writes.empty())) writing = writer.begin(writes);
    if (writer.left != 0 && stored.size() >= writer.count()) writer.burst(destination, stored, written);
  }
  status = core.status();
#endif
}

}  // namespace dfc
