// How far each element is below the largest of its row of Channels, at most Limit.
// One call is `frames` frames: one loop at II = 1 whose iterations take a beat, give one of the row before, or both.
#pragma once

#include "dfc_row_buffer.hpp"
#include "dfc_widen.hpp"

namespace dfc {

template <int Rows, int Channels, int Lanes, int InBits, int InSigned, int Limit, int OutBits, int RamStyle>
void below_max(hls::stream<ap_uint<Lanes * InBits>>& in, hls::stream<ap_uint<Lanes * OutBits>>& out, frames_t frames) {
  DFC_INLINE
  static_assert(Lanes <= Channels, "dfc::below_max: there are at most Channels lanes");
  constexpr int Beats = ceil_div(Channels, Lanes);
  constexpr int Tail = Channels - (Beats - 1) * Lanes;
  using Code = ap_int<InBits + 1>;  // one bit more makes every code a signed number
  using Place = ranged<0, 2 * Beats - 1>;

  // Carried, and why II = 1: the largest so far, one comparison; `rows`, whose words are read Beats iterations after they were written.
  ap_uint<Lanes * InBits> rows[2 * Beats];
  Storage<RamStyle>::ram(rows);
  Place written = 0, given = 0;
  Counter<Beats> beat;
  Code so_far = 0, largest = 0;
  for (RowPace<Rows, Beats> pace(frames); pace.more();) {
    DFC_PIPELINE(1)
    DFC_DISTANCE(rows, Beats)
    const bool gives = pace.gives(true);
    const bool takes = pace.takes();
    if (gives) {
      const ap_uint<Lanes * InBits> codes = rows[given];
      ap_uint<Lanes * OutBits> results = 0;
      for (int i = 0; i < Lanes; i++) {
        DFC_UNROLL
        const ap_uint<InBits + 1> below = ap_uint<InBits + 1>(largest - widen_element<InBits, InSigned, 0, InBits + 1, 0>(element<InBits>(codes, i)));
        set_element<OutBits>(results, i, below > Limit ? ap_uint<OutBits>(Limit) : ap_uint<OutBits>(below));
      }
      out.write(results);
      given = next_of<2 * Beats>(given);
    }
    if (takes) {
      const ap_uint<Lanes * InBits> codes = in.read();
      rows[written] = codes;
      written = next_of<2 * Beats>(written);
      Code best = widen_element<InBits, InSigned, 0, InBits + 1, 0>(element<InBits>(codes, 0));
      for (int i = 1; i < Lanes; i++) {
        DFC_UNROLL
        const Code code = widen_element<InBits, InSigned, 0, InBits + 1, 0>(element<InBits>(codes, i));
        if (code > best && (i < Tail || !beat.last())) best = code;
      }
      if (beat != 0 && so_far > best) best = so_far;
      so_far = best;
      if (beat.next()) largest = best;
    }
    pace.next(takes, gives);
  }
}

}  // namespace dfc
