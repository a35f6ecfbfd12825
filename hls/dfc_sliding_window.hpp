// Window generator: reads windows, with padding, stride, dilation and zero stuffing, out of a circular line buffer.
// One call moves `frames` frames: one loop at II = 1 whose iterations write a word, read one, or both.
#pragma once

#include "dfc_widen.hpp"
#include "dfc_window_walk.hpp"

namespace dfc {

template <int Height, int Width, int Channels, int KernelH, int KernelW, int StrideH, int StrideW, int DilationH, int DilationW,
          int StuffH, int StuffW, int PadTop, int PadLeft, int CropTop, int CropLeft, int OutHeight, int OutWidth, int Groups, int Simd,
          int InBits, int InSigned, int InBipolar, int OutBits, int OutBipolar, int PadValue, int Depth, int RamStyle>
void sliding_window(hls::stream<ap_uint<Simd * InBits>>& in, hls::stream<ap_uint<Simd * OutBits>>& out, frames_t frames) {
  static_assert(OutBits >= InBits, "dfc::sliding_window: the output type must hold the input type");
  constexpr int Fold = Groups * ceil_div(Channels, Groups * Simd);  // the last word of a group may be padded
  using Walk = WindowWalk<Height, Width, Fold, KernelH, KernelW, StrideH, StrideW, DilationH, DilationW, StuffH, StuffW,
                          CropTop - PadTop, CropLeft - PadLeft, OutHeight, OutWidth, Groups, Depth>;
  constexpr long Steps = long(OutHeight) * OutWidth * KernelH * KernelW * Fold;

  ap_uint<Simd * OutBits> padding = 0;
  for (int i = 0; i < Simd; i++) {
    DFC_UNROLL
    set_element<OutBits>(padding, i, ap_uint<OutBits>(PadValue));
  }
  ap_uint<Simd * InBits> buffer[Depth];
  // A word is read at least Lag iterations after it was written, so the pipeline need not forward it.
  constexpr int Lag = 4;
  DFC_NO_DEPENDENCE(buffer)
  int seen[Lag] = {};  // words written so many iterations ago
  DFC_PARTITION(seen)
  Walk walk;
  int written = 0, place = 0;
  long done = 0;
  for (frames_t frame = 0; frame < frames;) {
    DFC_PIPELINE(1)
    const bool real = walk.is_real();
    // Neither side waits for the other, or branches that meet again could block each other.
    const bool reads = done < Steps && (real ? walk.index : 0) < seen[Lag - 1] && !out.full();
    const bool writes = written < Walk::Words && (written < walk.limit || done == Steps) && !in.empty();
    for (int i = Lag - 1; i > 0; i--) {
      DFC_UNROLL
      seen[i] = seen[i - 1];
    }
    seen[0] = written;
    if (reads) {
      const ap_uint<Simd * OutBits> word = widen<Simd, InBits, InSigned, InBipolar, OutBits, OutBipolar>(buffer[walk.addr]);
      out.write(real ? word : padding);
      walk.step();
      done++;
    }
    if (writes) {
      buffer[place] = in.read();
      place = place == Depth - 1 ? 0 : place + 1;
      written++;
    }
    if (done == Steps && written == Walk::Words) {
      for (int i = 0; i < Lag; i++) {
        DFC_UNROLL
        seen[i] = 0;
      }
      walk = Walk();
      written = place = 0;
      done = 0;
      frame++;
    }
  }
}

}  // namespace dfc
