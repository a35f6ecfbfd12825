// Each of Rows rows of Terms elements times the matrix of its head, which in1 brought before it; then thresholds. Row r of in0 is of head
// r / RowsRun % Heads, and so are the rows of in1 with MatrixRun: the columns of a term, or where Transposed the terms of a column.
// One call is `frames` frames: one loop at II = 1 whose iterations take a beat of in1, do a step of the product, or both, as `Pace` says:
// the next frame's matrices come in while this one's rows pass.
#pragma once

#include "dfc_arithmetic.hpp"
#include "dfc_pace.hpp"
#include "dfc_widen.hpp"

namespace dfc {

// Where the beats of in1 go: row o of a head into bank o % Banks, its words behind those of row o - Banks; two pages in turn.
template <int Heads, int Blocks, int Run, int Inner, int Banks, int OuterStride, int InnerStride, int HeadWords>
class MatrixFill {
 public:
  int bank() const { return bank_.to_int(); }
  int word() const { return (page_ + head_ + outer_ + inner_).to_int(); }
  void next() {
    DFC_INLINE
    inner_ = row_.last() ? Word(0) : Word(inner_ + InnerStride);
    if (!row_.next()) return;
    const bool fold = bank_ == Banks - 1;
    const Bank bank = fold ? Bank(0) : Bank(bank_ + 1);
    const Word outer = fold ? Word(outer_ + OuterStride) : Word(outer_);
    bank_ = bank;
    outer_ = outer;
    if (!run_.next()) return;
    const bool heads = head_count_.next();
    head_ = heads ? Word(0) : Word(head_ + HeadWords);
    if (!heads) {  // the next head's block begins where this one's did
      bank_ = first_;
      outer_ = start_;
      return;
    }
    const bool page = block_.next();
    if (page) {
      bank_ = 0;
      outer_ = 0;
      page_ = page_ == 0 ? Word(Heads * HeadWords) : Word(0);
    }
    first_ = bank_;
    start_ = outer_;
  }

 private:
  using Word = ranged<0, 2L * Heads * HeadWords + OuterStride + InnerStride>;
  using Bank = ranged<0, Banks>;
  Counter<Inner> row_;
  Counter<Run> run_;
  Counter<Heads> head_count_;
  Counter<Blocks> block_;
  Word inner_ = 0, outer_ = 0, start_ = 0, head_ = 0, page_ = 0;
  Bank bank_ = 0, first_ = 0;
};

template <int Rows, int Heads, int RowsRun, int MatrixRun, int Transposed, int Columns, int Terms, int Pe, int Simd, int InBits, int InSigned,
          int InBipolar, int WeightBits, int WeightSigned, int WeightBipolar, int AccBits, int AccSigned, int ThreshBits, int ThreshFactorBits,
          int ThreshShift, int ThreshShared, int Flip, int OutBits, int OutSigned, int Arithmetic, int MatrixStyle, int ThresholdsStyle, int Lead,
          int Distance, class... Thresholds>
void matmul(hls::stream<ap_uint<Simd * InBits>>& in0, hls::stream<ap_uint<(Transposed ? Simd : Pe) * WeightBits>>& in1,
            hls::stream<ap_uint<Pe * OutBits>>& out, frames_t frames, const Thresholds&... thresholds) {
  DFC_INLINE
  static_assert(Pe <= Columns && Simd <= Terms, "dfc::matmul: there are at most Columns and Terms lanes");
  constexpr int ColFolds = ceil_div(Columns, Pe);
  constexpr int TermFolds = ceil_div(Terms, Simd);
  constexpr int HeadWords = ColFolds * TermFolds;
  constexpr int Words = Heads * HeadWords;
  constexpr int Outer = Transposed ? Columns : Terms;
  constexpr int Banks = Transposed ? Pe : Simd;
  constexpr int BeatLanes = Transposed ? Simd : Pe;
  constexpr int Inner = Transposed ? TermFolds : ColFolds;
  constexpr int Tail = Terms % Simd;
  // What is multiplied: bipolar elements as -1 or +1 in two bits.
  constexpr int XBits = InBipolar ? 2 : InBits;
  constexpr int WBits = WeightBipolar ? 2 : WeightBits;
  using P = Product<XBits, InSigned, 0, WBits, WeightSigned, 0, Arithmetic>;
  using Acc = integer<AccBits, AccSigned != 0>;
  using Code = Codes<ColFolds, AccBits, AccSigned, ThreshBits, ThreshFactorBits, ThreshShift, ThreshShared, Flip, OutBits, OutSigned, 0,
                     Terms, ThresholdsStyle>;
  bind_banks<ThresholdsStyle>(thresholds...);

  // Carried, and why II = 1: `acc`, one addition, in registers of its lane; counters, each one increment of its own width; `matrix`, whose
  // words are read at least Distance iterations after they were written. Nothing that is read from it is ever written to it.
  ap_uint<BeatLanes * WeightBits> matrix[Banks][2 * Words];
  DFC_BANKS(matrix)
  Storage<MatrixStyle>::ram(matrix);
  MatrixFill<Heads, Outer / MatrixRun, MatrixRun, Inner, Banks, Transposed ? TermFolds : 1, Transposed ? 1 : TermFolds, HeadWords> fill;
  ap_uint<Simd * InBits> vector[TermFolds];
  Acc acc[Pe];
  DFC_PARTITION(acc)
  Counter<TermFolds> term;
  Counter<ColFolds> column;
  Counter<RowsRun> row;    // of a run of one head
  Counter<Heads> head;
  Counter<Rows / (Heads * RowsRun)> round;  // of all heads
  using Place = ranged<0, 2 * Words - 1>;
  Place word = 0;
  for (Pace<long(Outer) * Heads * Inner, long(Rows) * HeadWords, Lead> pace(frames); pace.more();) {
    DFC_PIPELINE(1)
    DFC_DISTANCE(matrix, Distance)
    DFC_DISTANCE(vector, TermFolds)  // read again in the next fold of columns
    const bool gives = pace.gives(true);
    const bool takes = pace.takes();
    if (gives) {
      ap_uint<Simd * InBits> inputs;
      if (column == 0) {
        inputs = in0.read();
        vector[term] = inputs;
      } else {
        inputs = vector[term];
      }
      ap_uint<XBits> x[Simd];
      DFC_PARTITION(x)
      unpack<XBits>(widen<Simd, InBits, InSigned, InBipolar, XBits, 0>(inputs), 0, x);
      for (int s = Tail; Tail > 0 && s < Simd; s++) {  // lanes that the last fold of terms does not need
        DFC_UNROLL
        if (term.last()) x[s] = 0;
      }
      ap_uint<BeatLanes * WeightBits> words[Banks];
      DFC_PARTITION(words)
      for (int b = 0; b < Banks; b++) {
        DFC_UNROLL
        words[b] = matrix[b][word];
      }
      ap_uint<Pe * OutBits> results = 0;
      for (int p = 0; p < Pe; p++) {
        DFC_UNROLL
        Acc sum = term == 0 ? Acc(0) : acc[p];
        for (int s = 0; s < Simd; s++) {
          DFC_UNROLL
          const ap_uint<WeightBits> w = Transposed ? element<WeightBits>(words[p], s) : element<WeightBits>(words[s], p);
          sum += P::of(x[s], widen_element<WeightBits, WeightSigned, WeightBipolar, WBits, 0>(w));
        }
        acc[p] = sum;
        if (term.last()) set_element<OutBits>(results, p, Code::of(acc[p], column, p, thresholds...));
      }
      if (term.last()) out.write(results);
      int back = 0;  // the rows of a run read their head's words again, and each further run of heads those of all
      if (term.next() && column.next()) {
        if (!row.next()) {
          back = HeadWords;
        } else if (head.next() && !round.next()) {
          back = Words;
        }
      }
      word = back != 0 ? Place(word - (back - 1)) : next_of<2 * Words>(word);
    }
    if (takes) {
      const ap_uint<BeatLanes * WeightBits> beat = in1.read();
      for (int b = 0; b < Banks; b++) {
        DFC_UNROLL
        if (b == fill.bank()) matrix[b][fill.word()] = beat;
      }
      fill.next();
    }
    pace.next(takes, gives);
  }
}

}  // namespace dfc
