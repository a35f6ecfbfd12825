// Table lookup on a stream: each element becomes the entry of its channel's table at its bit pattern.
// One call moves `frames` frames: of each, Vectors * folds iterations of one loop at II = 1.
#pragma once

#include "dfc_storage.hpp"

namespace dfc {

template <int Vectors, int Channels, int Pe, int InBits, int OutBits, int Shared, int TableStyle>
void lookup(hls::stream<ap_uint<Pe * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out, frames_t frames,
            const Rom<Pe, (Shared ? 1 : ceil_div(Channels, Pe)) << InBits, OutBits>& table) {
  DFC_INLINE
  static_assert(Pe <= Channels, "dfc::lookup: there are at most Channels lanes");
  constexpr int Folds = ceil_div(Channels, Pe);
  Storage<TableStyle>::rom(table);

  Counter<Folds> fold;  // all that is carried: one increment, so II = 1; each lane reads a bank of its own
  for (FrameSteps<long(Vectors) * Folds> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const ap_uint<Pe * InBits> inputs = in.read();
    ap_uint<Pe * OutBits> results = 0;
    for (int p = 0; p < Pe; p++) {
      DFC_UNROLL
      const int row = Shared ? 0 : int(fold);
      set_element<OutBits>(results, p, rom_word<OutBits>(table[p][(row << InBits) + int(element<InBits>(inputs, p))]));
    }
    out.write(results);
    fold.next();
  }
}

}  // namespace dfc
