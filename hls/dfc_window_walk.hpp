// The walk over the taps of all windows of a frame: where each tap's word is, and how far the writer may go before it.
// The same registers and constants as in dfc_window_walk.sv.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

constexpr int floor_div(int a, int b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }
constexpr int modulo(int a, int b) { return a - floor_div(a, b) * b; }
constexpr int clip(int a) { return a > 0 ? a : 0; }

// One axis: Origin is the place of the first tap in the stuffed picture.
template <int Size, int Kernel, int Stride, int Dilation, int Stuff, int Origin, int Out>
struct WindowAxis {
  static constexpr int Back = (Kernel - 1) * Dilation;
  static constexpr int Last = Origin + (Out - 1) * Stride + Back;
  int place = Origin;
  int phase = modulo(Origin, Stuff);

  bool is_real() const { return place >= 0 && place < Size * Stuff && phase == 0; }
  // Moves on by Move, which crosses floor(Move / Stuff) pixels; returns true when it crosses one more.
  template <int Move>
  bool step() {
    DFC_INLINE
    place += Move;
    if constexpr (Stuff == 1) {
      return false;
    } else {
      const int sum = phase + modulo(Move, Stuff);
      const bool carry = sum >= Stuff;
      phase = carry ? sum - Stuff : sum;
      return carry;
    }
  }
};

template <int Height, int Width, int Fold, int KernelH, int KernelW, int StrideH, int StrideW, int DilationH, int DilationW, int StuffH,
          int StuffW, int OriginY, int OriginX, int OutHeight, int OutWidth, int Groups, int Depth>
struct WindowWalk {
  using Y = WindowAxis<Height, KernelH, StrideH, DilationH, StuffH, OriginY, OutHeight>;
  using X = WindowAxis<Width, KernelW, StrideW, DilationW, StuffW, OriginX, OutWidth>;
  static constexpr int Row = Width * Fold;
  static constexpr int Words = Height * Row;
  static constexpr int Part = Fold / Groups;
  static constexpr bool Fine = KernelH * KernelW * Groups * StuffH * StuffW == 1;
  // First word of a row or column of windows: the first pixel at or after its place.
  static constexpr int StartY = floor_div(OriginY + StuffH - 1, StuffH) * Row;
  static constexpr int StartX = floor_div(OriginX + StuffW - 1, StuffW) * Fold;
  static constexpr int First = clip(StartY) + clip(StartX) + Depth;
  static constexpr int End = Words + First;

  Y y;
  X x;
  int word = 0, kx = 0, ky = 0, group = 0, ox = 0, oy = 0;
  int index = floor_div(OriginY, StuffH) * Row + floor_div(OriginX, StuffW) * Fold;  // word of the present tap, in its frame
  int addr = modulo(index, Depth);                                                   // and its place in the line buffer
  int limit = First;                                                                 // first word that may not be written yet
  int start_x = OriginX, start_y = OriginY;                                          // place of the window in the stuffed picture

  bool is_real() const { return y.is_real() && x.is_real(); }

  template <int MoveY, int MoveX, int MoveWord>
  void move() {
    DFC_INLINE
    constexpr int Step = floor_div(MoveY, StuffH) * Row + floor_div(MoveX, StuffW) * Fold + MoveWord;
    const bool carry_y = y.template step<MoveY>();
    const bool carry_x = x.template step<MoveX>();
    index += Step + (carry_y ? Row : 0) + (carry_x ? Fold : 0);
    // Steps modulo Depth are constants, so no division is left.
    const int plain = carry_x ? modulo(Step + Fold, Depth) : modulo(Step, Depth);
    const int crossed = carry_x ? modulo(Step + Row + Fold, Depth) : modulo(Step + Row, Depth);
    const int sum = addr + (carry_y ? crossed : plain);
    addr = sum >= Depth ? sum - Depth : sum;
  }
  static constexpr int row_start(int place) { return clip(floor_div(place + StuffH - 1, StuffH) * Row); }
  void set_limit() {
    DFC_INLINE
    const int column = floor_div(start_x + StuffW - 1, StuffW) * Fold + (Fine ? word : 0);
    const int own = row_start(start_y) + clip(column) + Depth;
    const int next = min_of(row_start(start_y + StrideH) + clip(StartX) + Depth, End);
    limit = min_of(own, next);
  }
  void step() {
    DFC_INLINE
    if (word != Part - 1) {
      word++;
      move<0, 0, 1>();
    } else {
      word = 0;
      step_tap();
    }
    set_limit();
  }
  void step_tap() {
    DFC_INLINE
    if (kx != KernelW - 1) {
      kx++;
      move<0, DilationW, 1 - Part>();
    } else if (ky != KernelH - 1) {
      kx = 0;
      ky++;
      move<DilationH, -X::Back, 1 - Part>();
    } else {
      kx = 0;
      ky = 0;
      step_window();
    }
  }
  void step_window() {
    DFC_INLINE
    if (group != Groups - 1) {
      group++;
      move<-Y::Back, -X::Back, 1>();
    } else if (ox != OutWidth - 1) {
      group = 0;
      ox++;
      start_x += StrideW;
      move<-Y::Back, StrideW - X::Back, 1 - Fold>();
    } else {
      group = 0;
      ox = 0;
      oy++;
      start_x = OriginX;
      start_y += StrideH;
      move<StrideH - Y::Back, OriginX - X::Last, 1 - Fold>();
    }
  }
};

}  // namespace dfc
