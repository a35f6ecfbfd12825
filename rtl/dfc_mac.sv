// Multiply-accumulate array of Pe lanes with thresholds and output buffer: sums Simd products a step, and the steps up to
// one with last_i, then counts thresholds (ThresholdsStyle 10: one, that sums start with) or gives the sum itself. Never stalls between step and output buffer.
// Latency from a last step's cycle to its valid output: 1 more than of dfc_sums, with counted thresholds OutBits more; one step a cycle.
module dfc_mac #(
  parameter int unsigned Pe              = 1,
  parameter int unsigned Simd            = 1,
  parameter int unsigned InputLanes      = 1,  // 1: all lanes work on the same inputs, Pe: each has its own
  parameter int unsigned Terms           = 4,  // products in a sum
  parameter int unsigned Steps           = 0,  // of a sum; carry chains need it
  parameter int unsigned Folds           = 1,  // results of a lane come from this many channels in turn
  parameter int unsigned InBits          = 2,
  parameter int unsigned InSigned        = 0,
  parameter int unsigned InBipolar       = 0,
  parameter int unsigned WeightBits      = 2,
  parameter int unsigned WeightSigned    = 1,
  parameter int unsigned Xnor            = 0,
  parameter int unsigned AccBits         = 8,
  parameter int unsigned AccSigned       = 1,
  parameter int unsigned ThreshBits      = 8,  // 0: no thresholds
  parameter int unsigned ThreshFactorBits = 0,
  parameter int unsigned ThreshShift     = 0,
  parameter int unsigned ThreshShared    = 0,
  parameter int unsigned Flip            = 0,
  parameter int unsigned OutBits         = 2,
  parameter int unsigned OutSigned       = 0,
  parameter int unsigned Double          = 0,  // without thresholds: the output is 2 * sum - Terms
  parameter int unsigned Arithmetic      = 0,
  parameter int unsigned ThresholdsStyle = 0,
  parameter int unsigned Slots           = 2,
  parameter              ThresholdsFile  = ""
) (
  input  logic                               clk_i,
  input  logic                               rst_ni,
  output logic                               credit_o,  // a last step may happen
  input  logic                               step_i,    // a step happens; its operands follow in the next cycle
  input  logic                               last_i,
  input  logic [InputLanes*Simd*InBits-1:0]  inputs_i,
  input  logic [Pe*Simd*WeightBits-1:0]      weights_i,
  output logic [Pe*OutBits-1:0]              out_data_o,
  output logic                               out_valid_o,
  input  logic                               out_ready_i
);
  localparam bit Start = ThreshBits != 0 && ThresholdsStyle == 10;  // sums start with minus their threshold: their sign is the code

  logic [Pe*AccBits-1:0] acc;
  logic acc_valid;
  dfc_sums #(
    .Pe(Pe), .Simd(Simd), .InputLanes(InputLanes), .Terms(Terms), .Steps(Steps), .InBits(InBits), .InSigned(InSigned), .InBipolar(InBipolar),
    .WeightBits(WeightBits), .WeightSigned(WeightSigned), .Xnor(Xnor), .AccBits(AccBits), .Arithmetic(Arithmetic),
    .Start(32'(Start)), .Folds(Folds), .ThreshBits((ThreshBits > 0) ? ThreshBits : 1), .ThreshSigned(AccSigned), .ThreshShared(ThreshShared),
    .ThresholdsFile(ThresholdsFile)
  ) u_sums (.clk_i, .rst_ni, .step_i, .last_i, .inputs_i, .weights_i, .sums_o(acc), .valid_o(acc_valid));

  logic push;
  logic [Pe*OutBits-1:0] results;
  if (Start) begin : gen_signs
    assign push = acc_valid;
    for (genvar p = 0; p < int'(Pe); p++) begin : gen_result
      assign results[p] = acc[(p+1)*AccBits-1] ^ (OutSigned != 0);
    end
    if (OutBits != 1 || Flip != 0) begin : gen_check
      $fatal(1, "dfc_mac: a sign is the code of one rising threshold");
    end
    logic unused;
    assign unused = ^{acc, ThreshFactorBits, ThreshShift, Double};
  end else if (ThreshBits != 0) begin : gen_thresholds
    dfc_threshold_core #(
      .File(ThresholdsFile), .Lanes(Pe), .Folds(Folds), .Shared(ThreshShared), .AccBits(AccBits), .AccSigned(AccSigned),
      .ThreshBits(ThreshBits), .FactorBits(ThreshFactorBits), .Shift(ThreshShift), .OutBits(OutBits), .OutSigned(OutSigned),
      .Flip(Flip), .Style(ThresholdsStyle)
    ) u_thresholds (.clk_i, .rst_ni, .valid_i(acc_valid), .acc_i(acc), .valid_o(push), .codes_o(results));
  end else begin : gen_sums
    assign push = acc_valid;
    for (genvar p = 0; p < int'(Pe); p++) begin : gen_result
      logic [OutBits-1:0] extended;
      if (AccSigned != 0) begin : gen_signed
        assign extended = OutBits'(signed'(acc[p*AccBits +: AccBits]));
      end else begin : gen_unsigned
        assign extended = OutBits'(acc[p*AccBits +: AccBits]);
      end
      assign results[p*OutBits +: OutBits] = (Double != 0) ? (extended << 1) - OutBits'(Terms) : extended;
    end
    logic unused;
    assign unused = ^{Folds, ThreshFactorBits, ThreshShift, ThreshShared, Flip, OutSigned, ThresholdsStyle, ThresholdsFile == ""};
  end

  dfc_stream_out #(.Width(Pe * OutBits), .Slots(Slots)) u_out (
    .clk_i, .rst_ni, .issue_i(step_i && last_i), .credit_o, .push_i(push), .data_i(results), .out_data_o, .out_valid_o, .out_ready_i
  );
endmodule
