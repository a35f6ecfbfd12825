// Simulation model of Lattice's PLL, as the top level uses it: its output is its input, whatever the ratio, locked after some cycles.
/* verilator lint_off UNUSEDSIGNAL */
/* verilator lint_off UNUSEDPARAM */
/* verilator lint_off PROCASSINIT */
module SB_PLL40_PAD #(
  parameter DIVR = 4'd0,
  parameter DIVF = 7'd0,
  parameter DIVQ = 3'd0,
  parameter FILTER_RANGE = 3'd0,
  parameter FEEDBACK_PATH = "SIMPLE"
) (
  input PACKAGEPIN, RESETB, BYPASS,
  output PLLOUTGLOBAL, LOCK
);
  reg [3:0] wait_q = 0;
  always @(posedge PACKAGEPIN) if (!LOCK) wait_q <= wait_q + 1'b1;
  assign PLLOUTGLOBAL = PACKAGEPIN;
  assign LOCK = &wait_q;
endmodule
