// Simulation model of Gowin's PLL, as the top level uses it: its output is its input, whatever the ratio, locked after some cycles.
/* verilator lint_off UNUSEDSIGNAL */
/* verilator lint_off UNUSEDPARAM */
/* verilator lint_off PROCASSINIT */
module rPLL #(
  parameter FCLKIN = "27",
  parameter DEVICE = "",
  parameter IDIV_SEL = 0,
  parameter FBDIV_SEL = 0,
  parameter ODIV_SEL = 8
) (
  input CLKIN, RESET, RESET_P, CLKFB,
  input [5:0] FBDSEL, IDSEL, ODSEL,
  input [3:0] PSDA, DUTYDA, FDLY,
  output CLKOUT, LOCK
);
  reg [3:0] wait_q = 0;
  always @(posedge CLKIN) if (!LOCK) wait_q <= wait_q + 1'b1;
  assign CLKOUT = CLKIN;
  assign LOCK = &wait_q;
endmodule
