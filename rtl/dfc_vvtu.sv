// Vector-vector-threshold unit: each of Channels outputs from its own Taps inputs; Pe channels, one tap a step.
// The last fold of channels may hold dummies. Interval Folds * Taps cycles a position, without bubbles; latency from the last tap's step: see dfc_mac.
`include "dfc_assert.svh"
module dfc_vvtu #(
  parameter int unsigned Vectors         = 1,
  parameter int unsigned Channels        = 4,
  parameter int unsigned Taps            = 9,
  parameter int unsigned Pe              = 2,
  parameter int unsigned InBits          = 2,
  parameter int unsigned InSigned        = 0,
  parameter int unsigned InBipolar       = 0,
  parameter int unsigned WeightBits      = 2,
  parameter int unsigned WeightSigned    = 1,
  parameter int unsigned Xnor            = 0,
  parameter int unsigned AccBits         = 8,
  parameter int unsigned AccSigned       = 1,
  parameter int unsigned ThreshBits      = 8,
  parameter int unsigned ThreshFactorBits = 0,
  parameter int unsigned ThreshShift     = 0,
  parameter int unsigned ThreshShared    = 0,
  parameter int unsigned Flip            = 0,
  parameter int unsigned OutBits         = 2,
  parameter int unsigned OutSigned       = 0,
  parameter int unsigned Double          = 0,
  parameter int unsigned Arithmetic      = 0,
  parameter int unsigned ThresholdsStyle = 0,
  parameter int unsigned Slots           = 4,
  parameter int unsigned WeightsDepth    = 18,
  parameter              ThresholdsFile  = "",
  localparam int unsigned WeightsAddrBits = (WeightsDepth > 1) ? $clog2(WeightsDepth) : 1
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic [Pe*InBits-1:0]  in_data_i,
  input  logic                  in_valid_i,
  output logic                  in_ready_o,
  output logic [Pe*OutBits-1:0] out_data_o,
  output logic                  out_valid_o,
  input  logic                   out_ready_i,
  // The weights: a memory of WeightsDepth words, read in the cycle after.
  output logic                   weights_en_o,
  output logic [WeightsAddrBits-1:0] weights_addr_o,
  input  logic [Pe*WeightBits-1:0] weights_data_i
);
  localparam int unsigned Folds     = (Channels + Pe - 1) / Pe;
  localparam int unsigned Words     = Folds * Taps;
  localparam int unsigned WordBits  = (Words > 1) ? $clog2(Words) : 1;

  if (Vectors < 1 || Pe < 1 || Pe > Channels || WeightsDepth != Words) begin : gen_check
    $fatal(1, "dfc_vvtu: Pe must be 1 to Channels, Vectors be at least 1 and WeightsDepth the words that are read");
  end

  logic step, last_tap, credit;
  assign step       = in_valid_i && in_ready_o;
  assign in_ready_o = !last_tap || credit;

  logic [WordBits-1:0] word_q;
  logic last_word;
  dfc_counter #(.Count(Words)) u_word (.clk_i, .rst_ni, .step_i(step), .value_o(word_q), .last_o(last_word));

  assign weights_en_o   = step;
  assign weights_addr_o = word_q;

  // The input side of a matrix unit whose every row fold is the first.
  logic [Pe*InBits-1:0] inputs;
  logic first_row, last_row;
  dfc_mvtu_inputs #(.Width(Pe * InBits), .RowFolds(1), .ColFolds(Taps)) u_inputs (
    .clk_i, .rst_ni, .step_i(step), .in_data_i, .first_row_o(first_row), .last_col_o(last_tap), .last_row_o(last_row), .inputs_o(inputs)
  );
  logic unused;
  assign unused = ^{first_row, last_row, last_word};

  dfc_mac #(
    .Pe(Pe), .Simd(1), .InputLanes(Pe), .Terms(Taps), .Steps(Taps), .Folds(Folds),
    .InBits(InBits), .InSigned(InSigned), .InBipolar(InBipolar), .WeightBits(WeightBits), .WeightSigned(WeightSigned), .Xnor(Xnor),
    .AccBits(AccBits), .AccSigned(AccSigned), .ThreshBits(ThreshBits), .ThreshFactorBits(ThreshFactorBits), .ThreshShift(ThreshShift),
    .ThreshShared(ThreshShared), .Flip(Flip),
    .OutBits(OutBits), .OutSigned(OutSigned), .Double(Double), .Arithmetic(Arithmetic), .ThresholdsStyle(ThresholdsStyle),
    .Slots(Slots), .ThresholdsFile(ThresholdsFile)
  ) u_mac (
    .clk_i, .rst_ni, .credit_o(credit), .step_i(step), .last_i(last_tap), .inputs_i(inputs), .weights_i(weights_data_i),
    .out_data_o, .out_valid_o, .out_ready_i
  );

  `DFC_STREAM_STABLE(in_valid_i, in_ready_o, in_data_i)
endmodule
