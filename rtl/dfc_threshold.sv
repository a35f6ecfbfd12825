// Thresholds on a stream: code = #{k : x >= T_k} with the thresholds of the element's channel, Pe channels a beat.
// The last beat of a pixel may hold dummies. Latency 2 + OutBits cycles, one beat a cycle.
`include "dfc_assert.svh"
module dfc_threshold #(
  parameter int unsigned Vectors         = 1,
  parameter int unsigned Channels        = 4,
  parameter int unsigned Pe              = 2,
  parameter int unsigned InBits          = 8,
  parameter int unsigned InSigned        = 1,
  parameter int unsigned ThreshBits      = 8,
  parameter int unsigned ThreshFactorBits = 0,
  parameter int unsigned ThreshShift     = 0,
  parameter int unsigned ThreshShared    = 0,
  parameter int unsigned Flip            = 0,
  parameter int unsigned OutBits         = 2,
  parameter int unsigned OutSigned       = 0,
  parameter int unsigned ThresholdsStyle = 0,
  parameter int unsigned Slots           = 5,
  parameter              ThresholdsFile  = ""
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic [Pe*InBits-1:0]  in_data_i,
  input  logic                  in_valid_i,
  output logic                  in_ready_o,
  output logic [Pe*OutBits-1:0] out_data_o,
  output logic                  out_valid_o,
  input  logic                  out_ready_i
);
  if (Vectors < 1 || Pe < 1 || Pe > Channels) begin : gen_check
    $fatal(1, "dfc_threshold: Pe must be 1 to Channels and Vectors be at least 1");
  end

  logic step, step_q, push;
  logic [Pe*InBits-1:0]  data_q;
  logic [Pe*OutBits-1:0] codes;

  assign step = in_valid_i && in_ready_o;
  always_ff @(posedge clk_i) step_q <= rst_ni && step;
  always_ff @(posedge clk_i) data_q <= in_data_i;

  dfc_threshold_core #(
    .File(ThresholdsFile), .Lanes(Pe), .Folds((Channels + Pe - 1) / Pe), .Shared(ThreshShared), .AccBits(InBits), .AccSigned(InSigned),
    .ThreshBits(ThreshBits), .FactorBits(ThreshFactorBits), .Shift(ThreshShift), .OutBits(OutBits), .OutSigned(OutSigned),
    .Flip(Flip), .Style(ThresholdsStyle)
  ) u_thresholds (.clk_i, .rst_ni, .valid_i(step_q), .acc_i(data_q), .valid_o(push), .codes_o(codes));

  dfc_stream_out #(.Width(Pe * OutBits), .Slots(Slots)) u_out (
    .clk_i, .rst_ni, .issue_i(step), .credit_o(in_ready_o), .push_i(push), .data_i(codes), .out_data_o, .out_valid_o, .out_ready_i
  );

  `DFC_STREAM_STABLE(in_valid_i, in_ready_o, in_data_i)
endmodule
