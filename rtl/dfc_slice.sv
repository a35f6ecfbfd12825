// A DSP slice of AMD's: sum_o = b * (d - a) + (Chained ? what the slice before has : c), modulo 2**48. Latency Held + 2 cycles for b, d and a,
// 1 for c and for the slice before.
`ifndef SYNTHESIS
`include "dfc_xilinx_slices.svh"
`endif
module dfc_slice #(
  parameter int unsigned Columns = 25,  // bits of d - a: 25 (DSP48E1) or 27 (DSP48E2)
  parameter int unsigned Held    = 1,   // registers in front of the multiplier: 1 or 2
  parameter int unsigned Chained = 0
) (
  input  logic               clk_i,
  input  logic [17:0]        b_i,
  input  logic [Columns-1:0] a_i,
  input  logic [Columns-1:0] d_i,
  input  logic [47:0]        c_i,
  input  logic [47:0]        before_i,
  output logic [47:0]        chain_o,  // sum_o for the next slice
  output logic [47:0]        sum_o
);
  localparam int unsigned First = Held - 1;  // registers in front of the first adder

  // INMODE: D - A2, B2; OPMODE: the product and C, or the slice before.
  if (Columns == 25) begin : gen_dsp48e1
    DSP48E1 #(
      .USE_DPORT("TRUE"), .AREG(First), .ACASCREG(First), .DREG(First), .ADREG(1), .BREG(Held), .BCASCREG(Held), .CREG(0), .MREG(1), .PREG(1),
      .INMODEREG(0), .OPMODEREG(0), .ALUMODEREG(0), .CARRYINREG(0), .CARRYINSELREG(0)
    ) u_dsp (
      .CLK(clk_i), .A({5'b0, a_i}), .B(b_i), .C(c_i), .D(d_i), .PCIN(before_i), .P(sum_o), .PCOUT(chain_o),
      .INMODE(5'b01100), .OPMODE((Chained != 0) ? 7'b0010101 : 7'b0110101), .ALUMODE(4'b0), .CARRYIN(1'b0), .CARRYINSEL(3'b0),
      .ACIN(30'b0), .BCIN(18'b0), .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0),
      .CEA1(1'b1), .CEA2(1'b1), .CEAD(1'b1), .CEB1(1'b1), .CEB2(1'b1), .CEC(1'b1), .CED(1'b1), .CEM(1'b1), .CEP(1'b1),
      .CEALUMODE(1'b1), .CECARRYIN(1'b1), .CECTRL(1'b1), .CEINMODE(1'b1),
      .RSTA(1'b0), .RSTALLCARRYIN(1'b0), .RSTALUMODE(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTCTRL(1'b0), .RSTD(1'b0), .RSTINMODE(1'b0),
      .RSTM(1'b0), .RSTP(1'b0)
    );
  end else begin : gen_dsp48e2
    DSP48E2 #(
      .AMULTSEL("AD"), .AREG(First), .ACASCREG(First), .DREG(First), .ADREG(1), .BREG(Held), .BCASCREG(Held), .CREG(0), .MREG(1), .PREG(1),
      .INMODEREG(0), .OPMODEREG(0), .ALUMODEREG(0), .CARRYINREG(0), .CARRYINSELREG(0)
    ) u_dsp (
      .CLK(clk_i), .A({3'b0, a_i}), .B(b_i), .C(c_i), .D(d_i), .PCIN(before_i), .P(sum_o), .PCOUT(chain_o),
      .INMODE(5'b01100), .OPMODE((Chained != 0) ? 9'b000010101 : 9'b000110101), .ALUMODE(4'b0), .CARRYIN(1'b0), .CARRYINSEL(3'b0),
      .ACIN(30'b0), .BCIN(18'b0), .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0),
      .CEA1(1'b1), .CEA2(1'b1), .CEAD(1'b1), .CEB1(1'b1), .CEB2(1'b1), .CEC(1'b1), .CED(1'b1), .CEM(1'b1), .CEP(1'b1),
      .CEALUMODE(1'b1), .CECARRYIN(1'b1), .CECTRL(1'b1), .CEINMODE(1'b1),
      .RSTA(1'b0), .RSTALLCARRYIN(1'b0), .RSTALUMODE(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTCTRL(1'b0), .RSTD(1'b0), .RSTINMODE(1'b0),
      .RSTM(1'b0), .RSTP(1'b0)
    );
  end
endmodule
