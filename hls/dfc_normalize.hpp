// Each element's share of the sum of its row of Channels: round(element * (Factor << FactorShift) / (sum * (Divisor << DivisorShift))),
// at most Most, and Zero more. Rounding: 0 down, 1 to the nearest and ties to even results, 2 and 3 ties up and down, 4 up.
// One call is `frames` frames: one loop at II = 1 whose iterations take a beat, give one of the row before, or both.
#pragma once

#include "dfc_row_buffer.hpp"

namespace dfc {

// The rounded quotient by one subtraction for each bit of Most, the highest first; no division.
template <int Wide, int Rounding, int Most, int Zero>
inline ap_uint<index_bits(Most + 1L)> divided(ap_uint<Wide> rest, const ap_uint<Wide>& by) {
  DFC_INLINE
  constexpr int Bits = index_bits(Most + 1L);
  const bool over = rest >= ap_uint<Wide>(by << Bits);
  ap_uint<Bits> code = 0;
  for (int b = Bits - 1; b >= 0; b--) {
    DFC_UNROLL
    const ap_uint<Wide> lifted = by << b;
    if (rest >= lifted) {
      rest -= lifted;
      code[b] = 1;
    }
  }
  // A rest of 0 is a tie, or with Rounding 4 a whole number.
  const bool odd = code[0] != (Zero % 2 != 0);
  if (rest == 0 && (Rounding == 3 || Rounding == 4 || (Rounding == 1 && odd))) code--;
  return over || code > Most ? ap_uint<Bits>(Most) : code;
}

template <int Rows, int Channels, int Lanes, int InBits, int Factor, int FactorShift, int Divisor, int DivisorShift, int Rounding, int Most,
          int Zero, int OutBits, int RamStyle>
void normalize(hls::stream<ap_uint<Lanes * InBits>>& in, hls::stream<ap_uint<Lanes * OutBits>>& out, frames_t frames) {
  DFC_INLINE
  static_assert(Lanes <= Channels, "dfc::normalize: there are at most Channels lanes");
  constexpr int Beats = ceil_div(Channels, Lanes);
  constexpr int Tail = Channels - (Beats - 1) * Lanes;
  constexpr int SumBits = InBits + clog2(Channels);
  constexpr int DenBits = SumBits + clog2(Divisor + 1L) + DivisorShift;
  constexpr int NumBits = InBits + clog2(Factor + 1L) + FactorShift;
  constexpr int Bits = index_bits(Most + 1L);
  constexpr int Wide = max_of(max_of(NumBits, DenBits) + 2, DenBits + 1 + Bits);
  using Place = ranged<0, 2 * Beats - 1>;

  // Carried, and why II = 1: the sum so far, one addition; `rows`, whose words are read Beats iterations after they were written.
  ap_uint<Lanes * InBits> rows[2 * Beats];
  Storage<RamStyle>::ram(rows);
  Place written = 0, given = 0;
  Counter<Beats> beat;
  ap_uint<SumBits> so_far = 0, sum = 0;
  for (RowPace<Rows, Beats> pace(frames); pace.more();) {
    DFC_PIPELINE(1)
    DFC_DISTANCE(rows, Beats)
    const bool gives = pace.gives(true);
    const bool takes = pace.takes();
    if (gives) {
      const ap_uint<Lanes * InBits> codes = rows[given];
      const ap_uint<Wide> below = ap_uint<Wide>(ap_uint<Wide>(sum) * ap_uint<32>(Divisor)) << DivisorShift;
      const ap_uint<Wide> by = below << 1;
      ap_uint<Lanes * OutBits> results = 0;
      for (int i = 0; i < Lanes; i++) {
        DFC_UNROLL
        const ap_uint<Wide> above = ap_uint<Wide>(ap_uint<Wide>(element<InBits>(codes, i)) * ap_uint<32>(Factor)) << (FactorShift + 1);
        const ap_uint<Wide> rest = Rounding == 0 ? above : Rounding == 4 ? ap_uint<Wide>(above + by) : ap_uint<Wide>(above + below);
        set_element<OutBits>(results, i, ap_uint<OutBits>(divided<Wide, Rounding, Most, Zero>(rest, by) + Zero));
      }
      out.write(results);
      given = next_of<2 * Beats>(given);
    }
    if (takes) {
      const ap_uint<Lanes * InBits> codes = in.read();
      rows[written] = codes;
      written = next_of<2 * Beats>(written);
      ap_uint<SumBits> total = beat == 0 ? ap_uint<SumBits>(0) : so_far;
      for (int i = 0; i < Lanes; i++) {
        DFC_UNROLL
        if (i < Tail || !beat.last()) total += element<InBits>(codes, i);
      }
      so_far = total;
      if (beat.next()) sum = total;
    }
    pace.next(takes, gives);
  }
}

}  // namespace dfc
