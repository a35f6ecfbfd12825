// Matrix-vector-threshold unit of whole vectors: all Mh sums of Mw inputs come from adders of constants beside it, Stages registers deep.
// They never stall. Latency Stages + 1, with thresholds OutBits more; one beat a cycle.
`include "dfc_assert.svh"
module dfc_mvtu_graph #(
  parameter int unsigned Vectors         = 1,  // of a frame; only the C++ model needs it
  parameter int unsigned Mh              = 4,
  parameter int unsigned Mw              = 8,
  parameter int unsigned InBits          = 2,
  parameter int unsigned AccBits         = 8,
  parameter int unsigned AccSigned       = 1,
  parameter int unsigned ThreshBits      = 8,  // 0: no thresholds
  parameter int unsigned ThreshFactorBits = 0,
  parameter int unsigned ThreshShift     = 0,
  parameter int unsigned ThreshShared    = 0,
  parameter int unsigned Flip            = 0,
  parameter int unsigned OutBits         = 2,
  parameter int unsigned OutSigned       = 0,
  parameter int unsigned Stages          = 2,
  parameter int unsigned ThresholdsStyle = 0,
  parameter int unsigned Slots           = 6,
  parameter              ThresholdsFile  = ""
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic [Mw*InBits-1:0]  in_data_i,
  input  logic                  in_valid_i,
  output logic                  in_ready_o,
  output logic [Mh*OutBits-1:0] out_data_o,
  output logic                  out_valid_o,
  input  logic                  out_ready_i,
  // The adders: their inputs, and Stages cycles later their results.
  output logic [Mw*InBits-1:0]  sums_x_o,
  input  logic [Mh*AccBits-1:0] sums_i
);
  if (Vectors < 1 || Mh < 1 || Mw < 1 || Stages < 1 || (ThreshBits == 0 && OutBits != AccBits)) begin : gen_check
    $fatal(1, "dfc_mvtu_graph: sizes and Stages must be at least 1, and sums without thresholds be the outputs");
  end

  logic step, credit, push;
  assign in_ready_o = credit;
  assign step       = in_valid_i && credit;
  assign sums_x_o   = in_data_i;

  logic [Stages-1:0] valid_q;  // a beat's sums are in the stage's registers
  always_ff @(posedge clk_i) valid_q <= rst_ni ? Stages'({valid_q, step}) : '0;

  logic [Mh*OutBits-1:0] results;
  if (ThreshBits != 0) begin : gen_thresholds
    dfc_threshold_core #(
      .File(ThresholdsFile), .Lanes(Mh), .Folds(1), .Shared(ThreshShared), .AccBits(AccBits), .AccSigned(AccSigned),
      .ThreshBits(ThreshBits), .FactorBits(ThreshFactorBits), .Shift(ThreshShift), .OutBits(OutBits), .OutSigned(OutSigned),
      .Flip(Flip), .Style(ThresholdsStyle)
    ) u_thresholds (.clk_i, .rst_ni, .valid_i(valid_q[Stages-1]), .acc_i(sums_i), .valid_o(push), .codes_o(results));
  end else begin : gen_sums
    assign push    = valid_q[Stages-1];
    assign results = sums_i;
    logic unused;
    assign unused = ^{AccSigned, ThreshFactorBits, ThreshShift, ThreshShared, Flip, OutSigned, ThresholdsStyle, ThresholdsFile == ""};
  end

  dfc_stream_out #(.Width(Mh * OutBits), .Slots(Slots)) u_out (
    .clk_i, .rst_ni, .issue_i(step), .credit_o(credit), .push_i(push), .data_i(results), .out_data_o, .out_valid_o, .out_ready_i
  );

  `DFC_STREAM_STABLE(in_valid_i, in_ready_o, in_data_i)
endmodule
