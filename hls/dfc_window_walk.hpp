// The walk over the taps of all windows of all frames: where each tap's word is.
#pragma once

#include "dfc_common.hpp"

namespace dfc {

constexpr int floor_div(int a, int b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }
constexpr int modulo(int a, int b) { return a - floor_div(a, b) * b; }

// One axis: Origin is the place of the first tap in the stuffed picture.
template <int Size, int Kernel, int Stride, int Dilation, int Stuff, int Origin, int Out>
struct WindowAxis {
  static constexpr int Back = (Kernel - 1) * Dilation;
  static constexpr int Last = Origin + (Out - 1) * Stride + Back;
  ranged<Origin, Last> place = Origin;
  ranged<0, Stuff - 1> phase = modulo(Origin, Stuff);

  bool is_real() const { return place >= 0 && place < Size * Stuff && phase == 0; }
  // Moves on by Move, which crosses floor(Move / Stuff) pixels; returns true when it crosses one more.
  template <int Move>
  bool step() {
    DFC_INLINE
    constexpr int Rest = modulo(Move, Stuff);
    place += Move;
    const bool carry = phase >= Stuff - Rest;
    phase += carry ? Rest - Stuff : Rest;
    return carry;
  }
};

// Depth: words of the circular buffer that frames follow each other in.
template <int Height, int Width, int Fold, int KernelH, int KernelW, int StrideH, int StrideW, int DilationH, int DilationW, int StuffH,
          int StuffW, int OriginY, int OriginX, int OutHeight, int OutWidth, int Groups, int Depth>
struct WindowWalk {
  using Y = WindowAxis<Height, KernelH, StrideH, DilationH, StuffH, OriginY, OutHeight>;
  using X = WindowAxis<Width, KernelW, StrideW, DilationW, StuffW, OriginX, OutWidth>;
  static constexpr int Row = Width * Fold;
  static constexpr int Words = Height * Row;
  static constexpr int Part = Fold / Groups;
  static constexpr int First = floor_div(OriginY, StuffH) * Row + floor_div(OriginX, StuffW) * Fold;
  static constexpr int Last = floor_div(Y::Last, StuffH) * Row + floor_div(X::Last, StuffW) * Fold + Fold - 1;

  Y y;
  X x;
  ranged<0, Part - 1> word = 0;
  ranged<0, KernelW - 1> kx = 0;
  ranged<0, KernelH - 1> ky = 0;
  ranged<0, Groups - 1> group = 0;
  ranged<0, OutWidth - 1> ox = 0;
  ranged<0, OutHeight - 1> oy = 0;
  ranged<First, Last> index = First;                 // word of the present tap, in its frame
  ranged<0, Depth - 1> addr = modulo(First, Depth);  // and its place in the line buffer

  bool is_real() const { return y.is_real() && x.is_real(); }

  template <int MoveY, int MoveX, int MoveWord>
  void move() {
    DFC_INLINE
    constexpr int Step = floor_div(MoveY, StuffH) * Row + floor_div(MoveX, StuffW) * Fold + MoveWord;
    const bool carry_y = y.template step<MoveY>();
    const bool carry_x = x.template step<MoveX>();
    index += carry_y ? (carry_x ? Step + Row + Fold : Step + Row) : (carry_x ? Step + Fold : Step);
    // Steps modulo Depth are constants, so no division is left.
    turn(carry_y ? (carry_x ? modulo(Step + Row + Fold, Depth) : modulo(Step + Row, Depth))
                 : (carry_x ? modulo(Step + Fold, Depth) : modulo(Step, Depth)));
  }
  void turn(int by) {
    DFC_INLINE
    addr += addr >= Depth - by ? by - Depth : by;
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
      move<-Y::Back, StrideW - X::Back, 1 - Fold>();
    } else {
      group = 0;
      ox = 0;
      step_row();
    }
  }
  void step_row() {
    DFC_INLINE
    if (oy != OutHeight - 1) {
      oy++;
      move<StrideH - Y::Back, OriginX - X::Last, 1 - Fold>();
    } else {  // the next frame's words follow this one's
      oy = 0;
      y = Y();
      x = X();
      index = First;
      turn(modulo(First + Words - Last, Depth));
    }
  }
};

}  // namespace dfc
