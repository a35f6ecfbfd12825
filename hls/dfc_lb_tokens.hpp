// Queues of the loopback engine: their heads, and the tokens by which they wait for one another, as in dfc_lb_tokens.sv.
#pragma once

#include "dfc_lb_move.hpp"

namespace dfc {

constexpr int LbSettle = 64;  // steps after which a result is in its memory: the pipeline of the core must be shorter
constexpr int LbArrive = 8;   // steps after which a loaded word is: the pipeline from the stream to a memory must be shorter

// Dependency tokens: queue u may start when every queue in `waits` has given it one. A token of the array is seen LbSettle steps after it was given, another LbArrive steps.
struct LbTokens {
  ap_uint<16> count[3][3];  // [from][to]
  ap_uint<LbSettle> coming[3][3];

  void clear() {
    for (int i = 0; i < 9; i++) {
      DFC_UNROLL
      count[i / 3][i % 3] = 0;
      coming[i / 3][i % 3] = 0;
    }
  }
  bool ready(int to, const ap_uint<3>& waits) const {
    bool found = true;
    for (int from = 0; from < 3; from++) {
      DFC_UNROLL
      if (from != to && waits[from] && count[from][to] == 0) found = false;
    }
    return found;
  }
  void take(int to, const ap_uint<3>& waits) {
    for (int from = 0; from < 3; from++) {
      DFC_UNROLL
      if (from != to && waits[from]) count[from][to] = count[from][to] - 1;
    }
  }
  void give(int from, const ap_uint<3>& signals) {
    for (int to = 0; to < 3; to++) {
      DFC_UNROLL
      const int delay = from == unit_compute ? LbSettle : LbArrive;
      if (signals[to]) coming[from][to] = coming[from][to] | (ap_uint<LbSettle>(1) << (LbSettle - delay));
    }
  }
  // Returns whether a token arrived or is on its way.
  bool step() {
    DFC_INLINE
    lb_registers(count);
    lb_registers(coming);
    bool moved = false;
    for (int i = 0; i < 9; i++) {
      DFC_UNROLL
      ap_uint<LbSettle>& line = coming[i / 3][i % 3];
      if (line != 0) {
        if (line[LbSettle - 1]) count[i / 3][i % 3] = count[i / 3][i % 3] + 1;
        line = line << 1;
        moved = true;
      }
    }
    return moved;
  }
};

// The head of a queue.
template <class D>
struct LbHead {
  LbQueued<D> queued;
  bool valid;

  bool fill(hls::stream<LbQueued<D>>& queue) {
    DFC_INLINE
    if (!valid) {
      valid = lb_poll(queue, queued);
      return valid;
    }
    return false;
  }
};

}  // namespace dfc
