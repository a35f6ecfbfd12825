// Matrix-vector-threshold unit that walks Words words of weights alone, those with others than 0: Mh outputs from each of Vectors vectors.
// Walk has of each word the beat of the vector that it multiplies, and above it a bit for a fold of rows' last. Where Kept is below Of, a row
// has so many weights for each Of inputs, each with the input's place above it.
// One call is `frames` frames: one loop at II = 1 whose iterations take a beat, walk a word, or both, as `Pace` says: a vector comes in
// while the one before it is walked.
#pragma once

#include "dfc_arithmetic.hpp"
#include "dfc_pace.hpp"

namespace dfc {

// Thresholds: none, where the outputs are the sums, or the banks of `Codes`.
template <int Vectors, int Mh, int Mw, int Pe, int Simd, int Run, int Words, int Kept, int Of, int InBits, int InSigned, int InBipolar,
          int WeightBits, int WeightSigned, int AccBits, int AccSigned, int ThreshBits, int ThreshFactorBits, int ThreshShift,
          int ThreshShared, int Flip, int OutBits, int OutSigned, int Arithmetic, int WeightsStyle, int VectorsStyle, int WalkStyle,
          int ThresholdsStyle, int Lead, int Distance, class... Thresholds>
void mvtu_sparse(hls::stream<ap_uint<Simd * InBits>>& in, hls::stream<ap_uint<Pe * OutBits>>& out, frames_t frames,
                 const Rom<1, Words, Pe * (Simd / Of) * Kept * (WeightBits + clog2(Of))>& weights,
                 const Rom<1, Words, index_bits(Mw / Run * ceil_div(Run, Simd)) + 1>& walk, const Thresholds&... thresholds) {
  DFC_INLINE
  static_assert(Pe <= Mh && Simd <= Mw, "dfc::mvtu_sparse: there are at most Mh and Mw lanes");
  static_assert(Mw % Run == 0 && Simd % Of == 0, "dfc::mvtu_sparse: Run must divide Mw, and Of Simd");
  constexpr int RowFolds = ceil_div(Mh, Pe);
  constexpr int ColFolds = Mw / Run * ceil_div(Run, Simd);
  constexpr int IndexBits = index_bits(ColFolds);
  constexpr int PlaceBits = clog2(Of);
  constexpr int ElementBits = WeightBits + PlaceBits;
  constexpr int Lanes = Simd / Of * Kept;
  using P = Product<InBits, InSigned, InBipolar, WeightBits, WeightSigned, 0, Arithmetic>;
  using Acc = integer<AccBits, AccSigned != 0>;
  using Code = Codes<RowFolds, AccBits, AccSigned, ThreshBits, ThreshFactorBits, ThreshShift, ThreshShared, Flip, OutBits, OutSigned, 0,
                     Mw, ThresholdsStyle>;
  Storage<WeightsStyle>::rom(weights);
  Storage<WalkStyle>::rom(walk);
  bind_banks<ThresholdsStyle>(thresholds...);

  // Carried, and why II = 1: `acc`, one addition, in registers of its lane; counters, each one increment of its own width; `vectors`, whose
  // beats are read at least Distance iterations after they were written. Nothing that is read from it is ever written to it.
  ap_uint<Simd * InBits> vectors[2 * ColFolds];
  Storage<VectorsStyle>::ram(vectors);
  Acc acc[Pe];
  DFC_PARTITION(acc)
  Counter<2 * ColFolds> place;  // of the next beat
  Counter<2> page;              // of the vector that is walked
  Counter<Words> word;
  Counter<RowFolds> fold;
  bool first = true;  // of a fold
  for (Pace<long(Vectors) * ColFolds, long(Vectors) * Words, Lead> pace(frames); pace.more();) {
    DFC_PIPELINE(1)
    DFC_DISTANCE(vectors, Distance)
    const bool gives = pace.gives(true);
    const bool takes = pace.takes();
    if (gives) {
      const ap_uint<IndexBits + 1> entry = rom_word<IndexBits + 1>(walk[0][word]);
      const bool last = entry[IndexBits];
      const int beat = int(ap_uint<IndexBits>(entry)) + (page == 0 ? 0 : ColFolds);
      ap_uint<InBits> x[Simd];
      DFC_PARTITION(x)
      unpack<InBits>(vectors[beat], 0, x);
      ap_uint<Pe * OutBits> results = 0;
      for (int p = 0; p < Pe; p++) {
        DFC_UNROLL
        Acc sum = first ? Acc(0) : acc[p];
        for (int s = 0; s < Lanes; s++) {
          DFC_UNROLL
          const int element = (p * Lanes + s) * ElementBits;
          ap_uint<InBits> input = x[s / Kept * Of];
          for (int i = 1; i < Of; i++) {
            DFC_UNROLL
            if (rom_element<max_of(PlaceBits, 1), ElementBits>(weights[0][word], element + WeightBits) == i) input = x[s / Kept * Of + i];
          }
          sum += P::of(input, rom_element<WeightBits, ElementBits>(weights[0][word], element));
        }
        acc[p] = sum;
        if (last) set_element<OutBits>(results, p, Code::of(acc[p], fold, p, thresholds...));
      }
      if (last) {
        out.write(results);
        fold.next();
      }
      first = last;
      if (word.next()) page.next();
    }
    if (takes) {
      vectors[place] = in.read();
      place.next();
    }
    pace.next(takes, gives);
  }
}

}  // namespace dfc
