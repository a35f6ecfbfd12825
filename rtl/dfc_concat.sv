// Channels of two streams side by side: of each position Folds0 beats from the first, then Folds1 from the second.
// Latency 1, interval Positions * (Folds0 + Folds1) cycles.
`include "dfc_assert.svh"
module dfc_concat #(
  parameter int unsigned Positions = 1,  // of a frame; only the C++ model needs it
  parameter int unsigned Folds0 = 1,
  parameter int unsigned Folds1 = 1,
  parameter int unsigned Lanes = 1,
  parameter int unsigned Bits0 = 8,
  parameter int unsigned Signed0 = 0,
  parameter int unsigned Bipolar0 = 0,
  parameter int unsigned Bits1 = 8,
  parameter int unsigned Signed1 = 0,
  parameter int unsigned Bipolar1 = 0,
  parameter int unsigned OutBits = 8,
  parameter int unsigned OutBipolar = 0
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic [Lanes*Bits0-1:0]   in0_data_i,
  input  logic                     in0_valid_i,
  output logic                     in0_ready_o,
  input  logic [Lanes*Bits1-1:0]   in1_data_i,
  input  logic                     in1_valid_i,
  output logic                     in1_ready_o,
  output logic [Lanes*OutBits-1:0] out_data_o,
  output logic                     out_valid_o,
  input  logic                     out_ready_i
);
  if (Positions < 1 || Folds0 < 1 || Folds1 < 1 || Lanes < 1) begin : gen_check
    $fatal(1, "dfc_concat: Positions, Folds0, Folds1 and Lanes must be at least 1");
  end
  if (OutBits < Bits0 || OutBits < Bits1 || (OutBipolar == 0 && (Bipolar0 != 0 || Bipolar1 != 0) && OutBits < 2)) begin : gen_check_bits
    $fatal(1, "dfc_concat: the output type must hold both input types");
  end

  logic credit, second, push;
  dfc_turns #(.Folds0(Folds0), .Folds1(Folds1)) u_turns (.clk_i, .rst_ni, .step_i(push), .second_o(second));
  assign in0_ready_o = credit && !second;
  assign in1_ready_o = credit && second;
  assign push        = credit && (second ? in1_valid_i : in0_valid_i);

  logic [Lanes*OutBits-1:0] beat0, beat1;
  dfc_extend #(.Lanes(Lanes), .InBits(Bits0), .InSigned(Signed0), .InBipolar(Bipolar0), .OutBits(OutBits), .OutBipolar(OutBipolar))
    u_extend0 (.in_i(in0_data_i), .out_o(beat0));
  dfc_extend #(.Lanes(Lanes), .InBits(Bits1), .InSigned(Signed1), .InBipolar(Bipolar1), .OutBits(OutBits), .OutBipolar(OutBipolar))
    u_extend1 (.in_i(in1_data_i), .out_o(beat1));

  dfc_stream_out #(.Width(Lanes * OutBits), .Slots(2)) u_out (
    .clk_i, .rst_ni, .issue_i(push), .credit_o(credit), .push_i(push), .data_i(second ? beat1 : beat0),
    .out_data_o, .out_valid_o, .out_ready_i
  );
endmodule
