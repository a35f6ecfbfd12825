// Read-only memories as constants, and the styles of memories and products as pragmas.
#pragma once

#include "dfc_common.hpp"

// Each bank of a read-only memory by itself, and the limbs of a word as one wide word.
#define DFC_BANKS(Array) DFC_PRAGMA(HLS array_partition variable = Array complete dim = 1)
#define DFC_LIMBS(Array) DFC_PRAGMA(HLS array_reshape variable = Array complete dim = 3)
#define DFC_BIND_ROM(Array, Impl) DFC_PRAGMA(HLS bind_storage variable = Array type = rom_np impl = Impl)
#define DFC_BIND_RAM(Array, Impl) DFC_PRAGMA(HLS bind_storage variable = Array type = ram_s2p impl = Impl)
#define DFC_BIND_MUL(Variable, Impl) DFC_PRAGMA(HLS bind_op variable = Variable op = mul impl = Impl)

namespace dfc {

constexpr int limbs(int width) { return (width + 63) / 64; }

// Words of Width bits in 64-bit limbs, the lowest first; one bank of Depth words for each lane that reads its own in the same step.
// Plain integers: every tool takes their initial values, which ap_uint's constructors may lose.
template <int Lanes, int Depth, int Width>
using Rom = std::uint64_t[Lanes][Depth][limbs(Width)];

// Bits `low` to `low + Bits - 1` of a word, whose elements lie Pitch bits apart.
template <int Bits, int Pitch = Bits, int Limbs>
inline ap_uint<Bits> rom_element(const std::uint64_t (&word)[Limbs], int low) {
  DFC_INLINE
  static_assert(Bits <= 64, "dfc::rom_element: elements have at most 64 bits");
  const int limb = low / 64, from = low % 64;
  std::uint64_t bits = word[limb] >> from;
  if (64 % Pitch != 0 && from + Bits > 64 && limb + 1 < Limbs) bits |= word[limb + 1] << (64 - from);
  return ap_uint<Bits>(bits);
}

// A word, or what follows its lowest `low` bits.
template <int Bits, int Limbs>
inline ap_uint<Bits> rom_word(const std::uint64_t (&word)[Limbs], int low = 0) {
  DFC_INLINE
  ap_uint<64 * Limbs> all = 0;
  for (int i = 0; i < Limbs; i++) {
    DFC_UNROLL
    all.range(64 * i + 63, 64 * i) = ap_uint<64>(word[i]);
  }
  return ap_uint<Bits>(all >> low);
}

// What memories are made of. A function for each, inlined, with the memory as its argument: a pragma takes no template argument.
struct StorageOfChoice {
  template <class T>
  static void rom(const T&) {}
  template <class T>
  static void ram(T&) {}
};
struct StorageInLuts {
  template <class T>
  static void rom(const T& memory) {
    DFC_INLINE
    DFC_BIND_ROM(memory, lutram)
    (void)memory;
  }
  template <class T>
  static void ram(T& memory) {
    DFC_INLINE
    DFC_BIND_RAM(memory, lutram)
    (void)memory;
  }
};
struct StorageInBlocks {
  template <class T>
  static void rom(const T& memory) {
    DFC_INLINE
    DFC_BIND_ROM(memory, bram)
    (void)memory;
  }
  template <class T>
  static void ram(T& memory) {
    DFC_INLINE
    DFC_BIND_RAM(memory, bram)
    (void)memory;
  }
};
// UltraRAM has no initial contents: nothing read-only lies there.
struct StorageInUltraRam : StorageInBlocks {
  template <class T>
  static void ram(T& memory) {
    DFC_INLINE
    DFC_BIND_RAM(memory, uram)
    (void)memory;
  }
};

// Style codes as in the SystemVerilog: auto, lut, lutram, bram, uram; of thresholds also multiply, shift_add,
// and multiply by slices of 18, 25 or 27 bits, which is multiply here.
constexpr int StyleMultiply = 5, StyleShiftAdd = 6;
constexpr bool is_scaled(int style) { return style >= StyleMultiply; }
template <int Style>
struct Storage : StorageOfChoice {};
template <>
struct Storage<1> : StorageInLuts {};
template <>
struct Storage<2> : StorageInLuts {};
template <>
struct Storage<3> : StorageInBlocks {};
template <>
struct Storage<4> : StorageInUltraRam {};

// Products by arithmetic: left to the tool (0), in LUTs (1), in DSP slices (2).
template <int Arithmetic>
struct Multiplier {
  template <class Result, class A, class B>
  static Result product(const A& a, const B& b) {
    DFC_INLINE
    return Result(a * b);
  }
};
template <>
struct Multiplier<1> {
  template <class Result, class A, class B>
  static Result product(const A& a, const B& b) {
    DFC_INLINE
    const Result found = a * b;
    DFC_BIND_MUL(found, fabric)
    return found;
  }
};
template <>
struct Multiplier<2> {
  template <class Result, class A, class B>
  static Result product(const A& a, const B& b) {
    DFC_INLINE
    const Result found = a * b;
    DFC_BIND_MUL(found, dsp)
    return found;
  }
};

}  // namespace dfc
