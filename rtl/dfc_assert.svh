// Assertions of the stream contract, for simulation and proofs only; the macros use clk_i and rst_ni of the module around them.
`ifndef DFC_ASSERT_SVH
`define DFC_ASSERT_SVH

`ifdef VERILATOR
// A beat that is offered stays offered, unchanged, until it is taken.
`define DFC_STREAM_STABLE(Valid, Ready, Data) \
  assert property (@(posedge clk_i) disable iff (!rst_ni) ((Valid) && !(Ready)) |=> ((Valid) && $stable(Data))) \
  else $error("a stalled stream dropped or changed its beat");
// Cond holds in every cycle outside reset.
`define DFC_ALWAYS(Cond) \
  assert property (@(posedge clk_i) disable iff (!rst_ni) (Cond)) \
  else $error("an invariant of the module is broken");
`elsif DFC_FORMAL
// Yosys' front end has no |=> and no $stable: there the checkers of tests/formal say what is stable.
`define DFC_STREAM_STABLE(Valid, Ready, Data)
`define DFC_ALWAYS(Cond) assert property (@(posedge clk_i) disable iff (!rst_ni) (Cond));
`else
`define DFC_STREAM_STABLE(Valid, Ready, Data)
`define DFC_ALWAYS(Cond)
`endif

`endif
