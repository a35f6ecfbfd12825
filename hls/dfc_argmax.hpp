// Index of the largest of Channels elements, Pe of them a beat; of equal ones the first, or the last.
// One call moves `frames` frames: of each, Positions * (Channels/Pe) iterations of one loop at II = 1.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

// Whether a later element takes the place of an earlier one.
template <int SelectLast, class Value>
inline bool beats(const Value& later, const Value& earlier) {
  DFC_INLINE
  return SelectLast ? later >= earlier : later > earlier;
}

template <int Positions, int Channels, int Pe, int InBits, int InSigned, int OutBits, int SelectLast>
void argmax(hls::stream<ap_uint<Pe * InBits>>& in, hls::stream<ap_uint<OutBits>>& out, frames_t frames) {
  DFC_INLINE
  static_assert(Channels % Pe == 0, "dfc::argmax: Pe must divide Channels");
  constexpr int Folds = Channels / Pe;
  using Value = integer<InBits, InSigned != 0>;
  // Carried, and why II = 1: the best of the beats before, through one comparison; the best of a beat is found before, in a tree.
  Value best = 0;
  ap_uint<OutBits> index = 0;
  Counter<Folds> fold;
  for (FrameSteps<long(Positions) * Folds> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    const ap_uint<Pe * InBits> beat = in.read();
    Value values[Pe];
    DFC_PARTITION(values)
    int lanes[Pe];
    DFC_PARTITION(lanes)
    for (int p = 0; p < Pe; p++) {
      DFC_UNROLL
      values[p] = as_integer<InSigned != 0>(element<InBits>(beat, p));
      lanes[p] = p;
    }
    for (int width = 1; width < Pe; width *= 2) {
      DFC_UNROLL
      for (int p = 0; p + width < Pe; p += 2 * width) {
        DFC_UNROLL
        if (beats<SelectLast>(values[p + width], values[p])) {
          values[p] = values[p + width];
          lanes[p] = lanes[p + width];
        }
      }
    }
    if (fold == 0 || beats<SelectLast>(values[0], best)) {
      best = values[0];
      index = ap_uint<OutBits>(fold * Pe + lanes[0]);
    }
    if (fold.last()) out.write(index);
    fold.next();
  }
}

}  // namespace dfc
