// Table lookup on a stream: each element becomes the entry of its channel's table at its bit pattern.
// One call moves `frames` frames: of each, Vectors * folds iterations of one loop at II = 1.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

template <int Vectors, int Channels, int Pe, int InBits, int OutBits, int Shared, int TableStyle, int Slots>
void lookup(hls::stream<ap_uint<Pe * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out,
            const ap_uint<OutBits> Table[(Shared ? 1 : ceil_div(Channels, Pe) * Pe) << InBits], frames_t frames) {
  static_assert(Pe <= Channels, "dfc::lookup: there are at most Channels lanes");
  DFC_PARTITION_BLOCK(Table, (Shared ? 1 : Pe))
  constexpr int Folds = ceil_div(Channels, Pe);
  int fold = 0;
  for (FrameSteps<long(Vectors) * Folds> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const ap_uint<Pe * InBits> inputs = in.read();
    ap_uint<Pe * OutBits> results = 0;
    for (int p = 0; p < Pe; p++) {
      DFC_UNROLL
      const int pattern = int(element<InBits>(inputs, p));
      const int table = Shared ? 0 : p * Folds + fold;
      set_element<OutBits>(results, p, Table[(table << InBits) + pattern]);
    }
    out.write(results);
    fold = fold == Folds - 1 ? 0 : fold + 1;
  }
}

}  // namespace dfc
