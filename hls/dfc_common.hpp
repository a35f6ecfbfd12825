// What all units share: pragmas behind macros, small constant functions, elements in and out of beats.
// Include this header before any other that includes ap_int.h: it raises the widest word ap_int allows.
#pragma once

#ifndef AP_INT_MAX_W
#define AP_INT_MAX_W 32768
#endif
// The open ap_int headers construct a word by clearing the unused bits of unset storage; GCC reports that at every use.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
// Their part selection has a loop for reversed bounds, which g++ follows where it cannot prove that bounds are in order.
#pragma GCC diagnostic ignored "-Waggressive-loop-optimizations"
#endif
#include <ap_int.h>
#include <hls_stream.h>

#include <cstdint>

// Pragmas exist for Vitis only; every other compiler sees nothing.
#if defined(__VITIS_HLS__) || defined(__SYNTHESIS__)
#define DFC_PRAGMA(Text) _Pragma(#Text)
#else
#define DFC_PRAGMA(Text)
#endif
#define DFC_INLINE DFC_PRAGMA(HLS inline)
#define DFC_PIPELINE(Ii) DFC_PRAGMA(HLS pipeline II = Ii style = flp)
#define DFC_UNROLL DFC_PRAGMA(HLS unroll)
#define DFC_PARTITION(Array) DFC_PRAGMA(HLS array_partition variable = Array complete dim = 0)
#define DFC_DISTANCE(Array, Count)                                                                                    \
  DFC_PRAGMA(HLS dependence variable = Array type = inter direction = RAW distance = Count dependent = true)          \
  static_assert(Count >= 1, "dfc: what is read in a later iteration is read at least one later");

namespace dfc {

// Smallest b with 2**b >= n; 0 for n = 1.
constexpr int clog2(long n) { return n <= 1 ? 0 : 1 + clog2((n + 1) / 2); }

// Bits of an index into n things, at least 1.
constexpr int index_bits(long n) { return n <= 2 ? 1 : clog2(n); }

// Beats of n elements in so many lanes.
constexpr int ceil_div(int n, int lanes) { return (n + lanes - 1) / lanes; }

constexpr int max_of(int a, int b) { return a > b ? a : b; }
constexpr int min_of(int a, int b) { return a < b ? a : b; }

// Counts from 0 to Count - 1 and again, in as many bits as that takes.
template <long Count>
class Counter {
 public:
  operator int() const { return int(value_); }
  bool last() const { return value_ == Count - 1; }
  // Moves on; whether it starts again.
  bool next() {
    DFC_INLINE
    if (last()) {
      value_ = 0;
      return true;
    }
    value_++;
    return false;
  }

 private:
  ap_uint<index_bits(Count)> value_ = 0;
};

// How many frames a call moves.
using frames_t = std::uint32_t;

// The iterations of `frames` frames of Steps each, counted without a product, and without a loop in the loop: the pipeline never drains
// between frames. Carried from one iteration to the next: a counter of the width that Steps needs, and the frames left, which it enables.
template <long Steps>
class FrameSteps {
 public:
  explicit FrameSteps(frames_t frames) : left_(frames) {}
  bool more() const { return left_ != 0; }
  bool is_last() const { return left_ == 1 && step_.last(); }
  void next() {
    DFC_INLINE
    if (step_.next()) left_--;
  }

 private:
  frames_t left_;
  Counter<Steps> step_;
};

// The ap_int or ap_uint of so many bits.
template <int Bits, bool Signed>
struct Integer {
  using type = ap_uint<Bits>;
};
template <int Bits>
struct Integer<Bits, true> {
  using type = ap_int<Bits>;
};
template <int Bits, bool Signed>
using integer = typename Integer<Bits, Signed>::type;

// The fewest bits that hold Low to High.
template <long Low, long High>
using ranged = integer<(Low < 0 ? 1 + clog2(max_of(-Low, High + 1)) : index_bits(High + 1)), (Low < 0)>;

// The place after `place` in a circle of Count.
template <int Count, class Place>
inline Place next_of(const Place& place) {
  DFC_INLINE
  return place == Count - 1 ? Place(0) : Place(place + 1);
}

// Bit pattern of element `index` of a beat; element 0 is in the lowest bits.
template <int Bits, int Width>
inline ap_uint<Bits> element(const ap_uint<Width>& beat, int index) {
  DFC_INLINE
  return ap_uint<Bits>(beat.range((index + 1) * Bits - 1, index * Bits));
}

// Count elements of a beat from element `first` on, piece by piece of up to 64 bits: wide words are slow in simulation.
template <int Bits, int Count, int Width>
inline void unpack(const ap_uint<Width>& beat, int first, ap_uint<Bits> (&elements)[Count]) {
  DFC_INLINE
  static_assert(Bits <= 64, "dfc::unpack: elements have at most 64 bits");
  constexpr int Piece = 64 / Bits;
  for (int start = 0; start < Count; start += Piece) {
    DFC_UNROLL
    const int stop = start + Piece < Count ? start + Piece : Count;
    const ap_uint<Piece * Bits> piece = beat.range((first + stop) * Bits - 1, (first + start) * Bits);
    const unsigned long long bits = piece.to_uint64();
    for (int i = start; i < stop; i++) {
      DFC_UNROLL
      elements[i] = ap_uint<Bits>(bits >> ((i - start) * Bits));
    }
  }
}

// Write element `index` of a beat.
template <int Bits, int Width>
inline void set_element(ap_uint<Width>& beat, int index, const ap_uint<Bits>& value) {
  DFC_INLINE
  beat.range((index + 1) * Bits - 1, index * Bits) = value;
}

// A bit pattern as the integer it stands for, two's complement when Signed.
template <bool Signed, int Bits>
inline integer<Bits, Signed> as_integer(const ap_uint<Bits>& pattern) {
  DFC_INLINE
  return integer<Bits, Signed>(pattern);
}

}  // namespace dfc
