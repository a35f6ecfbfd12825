// Nearest-neighbour upsampling: each row FactorH times, each pixel of Fold beats FactorW times, out of a row buffer.
// One call moves `frames` frames: one iteration for each beat out, of one loop at II = 1; a row is taken while its first copy is given.
#pragma once

#include "dfc_storage.hpp"

namespace dfc {

template <int Height, int Width, int Fold, int FactorH, int FactorW, int BeatBits, int RamStyle>
void upsample(hls::stream<ap_uint<BeatBits>>& in, hls::stream<ap_uint<BeatBits>>& out, frames_t frames) {
  DFC_INLINE
  // Carried, and why II = 1: counters, each one increment or addition. The row is read Distance iterations after it was written, and
  // nothing that is read from it is ever written to it: no cycle through memory.
  constexpr int Words = Width * Fold;
  constexpr int Distance = Fold > 1 && FactorW > 1 ? Fold : Words * FactorW;
  ap_uint<BeatBits> row[Words];
  Storage<RamStyle>::ram(row);
  ap_uint<BeatBits> beat = 0;
  ap_uint<index_bits(Words)> first = 0;  // of the pixel
  Counter<Fold> word;
  Counter<FactorW> copy;
  Counter<Width> pixel;
  Counter<FactorH> pass;
  for (FrameSteps<long(Height) * FactorH * FactorW * Words> step(frames); step.more(); step.next()) {
    DFC_PIPELINE(1)
    DFC_DISTANCE(row, Distance)
    const int place = int(first) + word;
    if (pass == 0 && copy == 0) {
      beat = in.read();
      row[place] = beat;
    } else if (Fold > 1 || copy == 0) {  // else it is the beat of the step before
      beat = row[place];
    }
    out.write(beat);
    if (word.next() && copy.next()) {
      first = pixel.last() ? ap_uint<index_bits(Words)>(0) : ap_uint<index_bits(Words)>(first + Fold);
      if (pixel.next()) pass.next();
    }
  }
}

}  // namespace dfc
