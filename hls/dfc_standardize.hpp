// Each element over the root of its row's squares: floor(d * root / 2**Drop), root = floor(2**Bits / sqrt(V + epsilon / 2**Shift)),
// epsilon = EpsilonHigh * 2**31 + EpsilonLow. Centred: d = Channels * element - sum and V = Channels * sum of squares - sum**2 over a row of
// Channels elements; else d is the element and V the sum of squares. One call is `frames` frames: one loop at II = 1 whose iterations take
// a beat, give one of a row before, or both.
#pragma once

#include "dfc_widen.hpp"
#include "dfc_row_buffer.hpp"

namespace dfc {

// floor(2**Bits / sqrt(w / 2**Shift)) by its bits, the highest first: rest = 2**(2 * Bits + Shift) - root**2 * w and step = 4 * root * w + w,
// in units of the bit that was found last. The next bit is 1 where 4 * rest is at least step.
template <int Bits, int Shift, int RootBits, int RestBits, int WBits>
inline ap_uint<RootBits> inverse_root(const ap_uint<WBits>& w) {
  DFC_INLINE
  using Rest = ap_uint<RestBits>;
  Rest rest = Rest(1) << (2 * Bits + Shift - 2 * RootBits);
  Rest step = w;
  ap_uint<RootBits> root = 0;
  for (int b = RootBits - 1; b >= 0; b--) {
    DFC_UNROLL
    const Rest lifted = rest << 2;
    const Rest twice = step << 1;
    const Rest times = Rest(w) + Rest(Rest(w) << 1);
    if (lifted >= step) {
      rest = lifted - step;
      step = twice + times;
      root[b] = 1;
    } else {
      rest = lifted;
      step = twice - Rest(w);
    }
  }
  return root;
}

// A row's root is found in Lag - 1 iterations, so that many more pass between a row's last beat and its first step.
template <int Rows, int Channels, int Lanes, int InBits, int InSigned, int Centred, int Bits, int Drop, int Shift, int EpsilonHigh,
          int EpsilonLow, int SquareBits, int RootBits, int RestBits, int OutBits, int RamStyle, int Lag>
void standardize(hls::stream<ap_uint<Lanes * InBits>>& in, hls::stream<ap_uint<Lanes * OutBits>>& out, frames_t frames) {
  DFC_INLINE
  static_assert(Lanes <= Channels, "dfc::standardize: there are at most Channels lanes");
  constexpr int Beats = ceil_div(Channels, Lanes);
  constexpr int Tail = Channels - (Beats - 1) * Lanes;
  constexpr int Lead = Beats + Lag - 1;
  constexpr int Held = Lead / Beats + 2;  // rows whose root is on its way, or used
  constexpr int WBits = SquareBits + Shift + 1;
  using Code = ap_int<InBits + 1>;
  using Sum = ap_int<InBits + 1 + clog2(Channels)>;
  using Total = ap_uint<2 * InBits + clog2(Channels)>;
  using Square = ap_uint<SquareBits>;
  using D = ap_int<InBits + 2 + clog2(Channels)>;
  constexpr int AllBits = InBits + 3 + clog2(Channels) + RootBits;

  // Carried, and why II = 1: two sums so far, one addition each; `rows`, whose words are read Lead iterations after they were written, and
  // `sums` and `roots`, which are read at least Lag iterations later.
  ap_uint<Lanes * InBits> rows[Lead];
  Storage<RamStyle>::ram(rows);
  Sum sums[Held];
  ap_uint<RootBits> roots[Held];
  ranged<0, Lead - 1> place = 0;
  ranged<0, Held - 1> made = 0, used = 0;
  Counter<Beats> beat, step;
  Sum sum = 0;
  Total total = 0;
  for (Pace<Rows * Beats, Rows * Beats, Lead> pace(frames); pace.more();) {
    DFC_PIPELINE(1)
    DFC_DISTANCE(rows, Lead)
    DFC_DISTANCE(sums, Lag)
    DFC_DISTANCE(roots, Lag)
    const bool gives = pace.gives(true);
    const bool takes = pace.takes();
    if (gives) {
      const ap_uint<Lanes * InBits> codes = rows[place];
      const Sum all = sums[used];
      const ap_uint<RootBits> root = roots[used];
      ap_uint<Lanes * OutBits> results = 0;
      for (int i = 0; i < Lanes; i++) {
        DFC_UNROLL
        const Code code = widen_element<InBits, InSigned, 0, InBits + 1, 0>(element<InBits>(codes, i));
        const D d = Centred != 0 ? D(D(code * ap_uint<32>(Channels)) - D(all)) : D(code);
        const ap_int<AllBits> product = ap_int<AllBits>(d * ap_int<RootBits + 1>(root)) >> Drop;
        set_element<OutBits>(results, i, ap_uint<OutBits>(product));
      }
      out.write(results);
      if (step.next()) used = next_of<Held>(used);
    }
    if (takes) {
      const ap_uint<Lanes * InBits> codes = in.read();
      rows[place] = codes;
      Sum more = beat == 0 ? Sum(0) : sum;
      Total squares = beat == 0 ? Total(0) : total;
      for (int i = 0; i < Lanes; i++) {
        DFC_UNROLL
        if (i < Tail || !beat.last()) {
          const Code code = widen_element<InBits, InSigned, 0, InBits + 1, 0>(element<InBits>(codes, i));
          more += code;
          squares += Total(ap_int<2 * InBits + 2>(code * code));
        }
      }
      sum = more;
      total = squares;
      if (beat.next()) {
        const Square v = Centred != 0 ? Square(Square(Square(squares) * ap_uint<32>(Channels)) - Square(more * more)) : Square(squares);
        const ap_uint<WBits> epsilon = (ap_uint<WBits + 31>(EpsilonHigh) << 31) + ap_uint<31>(EpsilonLow);
        sums[made] = more;
        roots[made] = inverse_root<Bits, Shift, RootBits, RestBits, WBits>(ap_uint<WBits>(ap_uint<WBits>(ap_uint<WBits>(v) << Shift) + epsilon));
        made = next_of<Held>(made);
      }
    }
    place = next_of<Lead>(place);
    pace.next(takes, gives);
  }
}

}  // namespace dfc
