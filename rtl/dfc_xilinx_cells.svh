// What the cells do that dfc_carry_row is made of, for simulation and proofs. Synthesis knows them: there they are left out (SYNTHESIS),
// or read as black boxes.
/* verilator lint_off DECLFILENAME */
module LUT6_2 #(
  parameter logic [63:0] INIT = '0
) (
  output logic O6,
  output logic O5,
  input  logic I0,
  input  logic I1,
  input  logic I2,
  input  logic I3,
  input  logic I4,
  input  logic I5
);
  assign O6 = INIT[{I5, I4, I3, I2, I1, I0}];
  assign O5 = INIT[{1'b0, I4, I3, I2, I1, I0}];
endmodule

module CARRY4 (
  output logic [3:0] CO,
  output logic [3:0] O,
  input  logic       CI,
  input  logic       CYINIT,
  input  logic [3:0] DI,
  input  logic [3:0] S
);
  logic c;
  always_comb begin
    c = CI | CYINIT;
    for (int unsigned i = 0; i < 4; i++) begin
      O[i]  = S[i] ^ c;
      c     = S[i] ? c : DI[i];
      CO[i] = c;
    end
  end
endmodule

module CARRY8 #(
  parameter CARRY_TYPE = "SINGLE_CY8"  // or two chains of four, "DUAL_CY4"
) (
  output logic [7:0] CO,
  output logic [7:0] O,
  input  logic       CI,
  input  logic       CI_TOP,
  input  logic [7:0] DI,
  input  logic [7:0] S
);
  logic c;
  always_comb begin
    c = CI;
    for (int unsigned i = 0; i < 8; i++) begin
      if (i == 4 && CARRY_TYPE == "DUAL_CY4") c = CI_TOP;
      O[i]  = S[i] ^ c;
      c     = S[i] ? c : DI[i];
      CO[i] = c;
    end
  end
endmodule
/* verilator lint_on DECLFILENAME */
