// Matrix-vector-threshold unit: Mh outputs from each of Groups vectors of Mw inputs, Pe rows by Simd columns a step.
// The last fold of rows may hold dummies; columns start again with lane 0 after each Run, and weights of the lanes left over are 0.
// Interval Groups * RowFolds * ColFolds cycles a position, without bubbles; latency from the last column step: see dfc_mac.
`include "dfc_assert.svh"
module dfc_mvtu #(
  parameter int unsigned Vectors         = 1,
  parameter int unsigned Groups          = 1,
  parameter int unsigned Mh              = 4,
  parameter int unsigned Mw              = 8,
  parameter int unsigned Pe              = 2,
  parameter int unsigned Simd            = 4,
  parameter int unsigned Run             = 8,
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
  parameter int unsigned InputsStyle     = 0,
  parameter int unsigned Slots           = 4,
  parameter int unsigned WeightsDepth    = 4,
  parameter              ThresholdsFile  = "",
  localparam int unsigned WeightsAddrBits = (WeightsDepth > 1) ? $clog2(WeightsDepth) : 1
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic [Simd*InBits-1:0] in_data_i,
  input  logic                   in_valid_i,
  output logic                   in_ready_o,
  output logic [Pe*OutBits-1:0]  out_data_o,
  output logic                   out_valid_o,
  input  logic                   out_ready_i,
  // The weights: a memory of WeightsDepth words, read in the cycle after.
  output logic                   weights_en_o,
  output logic [WeightsAddrBits-1:0] weights_addr_o,
  input  logic [Pe*Simd*WeightBits-1:0] weights_data_i
);
  localparam int unsigned RowFolds  = (Mh + Pe - 1) / Pe;
  localparam int unsigned RunFolds  = (Run + Simd - 1) / Simd;
  localparam int unsigned ColFolds  = Mw / Run * RunFolds;
  localparam int unsigned Words     = Groups * RowFolds * ColFolds;
  localparam int unsigned InWidth   = Simd * InBits;
  localparam int unsigned WordBits  = (Words > 1) ? $clog2(Words) : 1;

  if (Vectors < 1 || Pe < 1 || Pe > Mh || Simd < 1 || Simd > Mw || Run < 1 || Mw % Run != 0 || WeightsDepth != Words) begin : gen_check
    $fatal(1, "dfc_mvtu: Pe must be 1 to Mh, Simd 1 to Mw, Run divide Mw, Vectors be at least 1 and WeightsDepth the words that are read");
  end

  // A step takes an input beat in the first row fold, and gives an output beat in the last column fold.
  logic step, first_row, last_col, last_row, credit;
  assign step       = (!first_row || in_valid_i) && (!last_col || credit);
  assign in_ready_o = first_row && (!last_col || credit);

  logic [WordBits-1:0] word_q;
  if (Groups > 1) begin : gen_groups
    logic last_word;
    dfc_counter #(.Count(Words)) u_word (.clk_i, .rst_ni, .step_i(step), .value_o(word_q), .last_o(last_word));
    logic unused;
    assign unused = last_row ^ last_word;
  end else if (Words > 1) begin : gen_words  // which start again with the vector
    always_ff @(posedge clk_i) begin
      if (!rst_ni || (step && last_row && last_col)) word_q <= '0;
      else if (step)                                 word_q <= word_q + 1'b1;
    end
  end else begin : gen_word
    assign word_q = '0;
    logic unused;
    assign unused = last_row;
  end

  assign weights_en_o   = step;
  assign weights_addr_o = word_q;

  logic [InWidth-1:0] inputs, operands;
  dfc_mvtu_inputs #(.Width(InWidth), .RowFolds(RowFolds), .ColFolds(ColFolds), .Style(InputsStyle)) u_inputs (
    .clk_i, .rst_ni, .step_i(step), .in_data_i, .first_row_o(first_row), .last_col_o(last_col), .last_row_o(last_row), .inputs_o(inputs)
  );

  // An XNOR has no weight for nothing: where a run ends within a beat, the lanes left over get 0, which complements to no count.
  localparam int unsigned Tail = Run % Simd;
  if (Xnor != 0 && Tail != 0) begin : gen_mask
    logic tail, tail_q;
    if (RunFolds == ColFolds) begin : gen_whole
      assign tail = last_col;
    end else begin : gen_runs
      dfc_run_counter #(.Beats(RunFolds)) u_run (.clk_i, .rst_ni, .step_i(step), .last_o(tail));
    end
    always_ff @(posedge clk_i) if (step) tail_q <= tail;
    assign operands = tail_q ? inputs & {{(Simd-Tail)*InBits{1'b0}}, {Tail*InBits{1'b1}}} : inputs;
  end else begin : gen_mask
    assign operands = inputs;
  end

  dfc_mac #(
    .Pe(Pe), .Simd(Simd), .InputLanes(1), .Terms(Mw), .Steps(ColFolds), .Folds(Groups * RowFolds),
    .InBits(InBits), .InSigned(InSigned), .InBipolar(InBipolar), .WeightBits(WeightBits), .WeightSigned(WeightSigned), .Xnor(Xnor),
    .AccBits(AccBits), .AccSigned(AccSigned), .ThreshBits(ThreshBits), .ThreshFactorBits(ThreshFactorBits), .ThreshShift(ThreshShift),
    .ThreshShared(ThreshShared), .Flip(Flip),
    .OutBits(OutBits), .OutSigned(OutSigned), .Double(Double), .Arithmetic(Arithmetic), .ThresholdsStyle(ThresholdsStyle),
    .Slots(Slots), .ThresholdsFile(ThresholdsFile)
  ) u_mac (
    .clk_i, .rst_ni, .credit_o(credit), .step_i(step), .last_i(last_col), .inputs_i(operands), .weights_i(weights_data_i),
    .out_data_o, .out_valid_o, .out_ready_i
  );

  `DFC_STREAM_STABLE(in_valid_i, in_ready_o, in_data_i)
endmodule
