// What the slices do that dfc_slice is made of, in the modes that it uses, for simulation and proofs. Synthesis knows them: there they are left
// out (SYNTHESIS), or read as black boxes.
/* verilator lint_off DECLFILENAME */
/* verilator lint_off UNUSEDSIGNAL */
/* verilator lint_off UNUSEDPARAM */
module DSP48E1 #(
  parameter int unsigned AREG = 1, ACASCREG = 1, DREG = 1, ADREG = 1, BREG = 1, BCASCREG = 1, CREG = 1, MREG = 1, PREG = 1,
  parameter int unsigned INMODEREG = 1, OPMODEREG = 1, ALUMODEREG = 1, CARRYINREG = 1, CARRYINSELREG = 1,
  parameter USE_DPORT = "FALSE"
) (
  input  logic        CLK,
  input  logic [29:0] A, ACIN,
  input  logic [17:0] B, BCIN,
  input  logic [47:0] C, PCIN,
  input  logic [24:0] D,
  output logic [47:0] P, PCOUT,
  input  logic [4:0]  INMODE,
  input  logic [6:0]  OPMODE,
  input  logic [3:0]  ALUMODE,
  input  logic [2:0]  CARRYINSEL,
  input  logic        CARRYIN, CARRYCASCIN, MULTSIGNIN,
  input  logic        CEA1, CEA2, CEAD, CEB1, CEB2, CEC, CED, CEM, CEP, CEALUMODE, CECARRYIN, CECTRL, CEINMODE,
  input  logic        RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP
);
  logic [24:0] a, a_q, d, d_q, ad_q;
  logic [17:0] b, b1_q, b2_q;
  logic [47:0] m_q;
  always_ff @(posedge CLK) begin
    a_q  <= A[24:0];
    d_q  <= D;
    b1_q <= B;
    b2_q <= b;
    ad_q <= d - a;
    m_q  <= 48'(signed'(ad_q)) * 48'(signed'(b2_q));
    P    <= m_q + (OPMODE[5] ? C : PCIN);
  end
  assign a     = (AREG != 0) ? a_q : A[24:0];
  assign d     = (DREG != 0) ? d_q : D;
  assign b     = (BREG == 2) ? b1_q : B;
  assign PCOUT = P;
endmodule

module DSP48E2 #(
  parameter int unsigned AREG = 1, ACASCREG = 1, DREG = 1, ADREG = 1, BREG = 1, BCASCREG = 1, CREG = 1, MREG = 1, PREG = 1,
  parameter int unsigned INMODEREG = 1, OPMODEREG = 1, ALUMODEREG = 1, CARRYINREG = 1, CARRYINSELREG = 1,
  parameter AMULTSEL = "A"
) (
  input  logic        CLK,
  input  logic [29:0] A, ACIN,
  input  logic [17:0] B, BCIN,
  input  logic [47:0] C, PCIN,
  input  logic [26:0] D,
  output logic [47:0] P, PCOUT,
  input  logic [4:0]  INMODE,
  input  logic [8:0]  OPMODE,
  input  logic [3:0]  ALUMODE,
  input  logic [2:0]  CARRYINSEL,
  input  logic        CARRYIN, CARRYCASCIN, MULTSIGNIN,
  input  logic        CEA1, CEA2, CEAD, CEB1, CEB2, CEC, CED, CEM, CEP, CEALUMODE, CECARRYIN, CECTRL, CEINMODE,
  input  logic        RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP
);
  logic [26:0] a, a_q, d, d_q, ad_q;
  logic [17:0] b, b1_q, b2_q;
  logic [47:0] m_q;
  always_ff @(posedge CLK) begin
    a_q  <= A[26:0];
    d_q  <= D;
    b1_q <= B;
    b2_q <= b;
    ad_q <= d - a;
    m_q  <= 48'(signed'(ad_q)) * 48'(signed'(b2_q));
    P    <= m_q + (OPMODE[5] ? C : PCIN);
  end
  assign a     = (AREG != 0) ? a_q : A[26:0];
  assign d     = (DREG != 0) ? d_q : D;
  assign b     = (BREG == 2) ? b1_q : B;
  assign PCOUT = P;
endmodule
/* verilator lint_on UNUSEDPARAM */
/* verilator lint_on UNUSEDSIGNAL */
/* verilator lint_on DECLFILENAME */
