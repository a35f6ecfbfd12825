// Matrix-vector-threshold unit that walks Words words of weights alone, those with others than 0: Mh outputs from each vector of Mw inputs,
// Pe rows by Simd columns a step. Where Kept is below Of, a row has so many weights for each Of inputs, each with the input's place above it.
// Sums by carry chains are of as many words each.
// A vector comes in while the one before it is walked. Interval Words cycles a vector, without bubbles; latency from a last step: see dfc_mac.
`include "dfc_assert.svh"
module dfc_mvtu_sparse #(
  parameter int unsigned Vectors         = 1,
  parameter int unsigned Mh              = 4,
  parameter int unsigned Mw              = 8,
  parameter int unsigned Pe              = 2,
  parameter int unsigned Simd            = 4,
  parameter int unsigned Run             = 8,
  parameter int unsigned Words           = 3,
  parameter int unsigned Kept            = 1,
  parameter int unsigned Of              = 1,
  parameter int unsigned InBits          = 2,
  parameter int unsigned InSigned        = 0,
  parameter int unsigned InBipolar       = 0,
  parameter int unsigned WeightBits      = 2,
  parameter int unsigned WeightSigned    = 1,
  parameter int unsigned AccBits         = 8,
  parameter int unsigned AccSigned       = 1,
  parameter int unsigned ThreshBits      = 8,
  parameter int unsigned ThreshFactorBits = 0,
  parameter int unsigned ThreshShift     = 0,
  parameter int unsigned ThreshShared    = 0,
  parameter int unsigned Flip            = 0,
  parameter int unsigned OutBits         = 2,
  parameter int unsigned OutSigned       = 0,
  parameter int unsigned Arithmetic      = 0,
  parameter int unsigned VectorsStyle    = 0,
  parameter int unsigned WalkStyle       = 0,
  parameter int unsigned ThresholdsStyle = 0,
  parameter int unsigned Slots           = 4,
  parameter int unsigned WeightsDepth    = 3,
  parameter              WalkFile        = "",
  parameter              ThresholdsFile  = "",
  localparam int unsigned WeightsAddrBits = (WeightsDepth > 1) ? $clog2(WeightsDepth) : 1,
  localparam int unsigned PlaceBits       = $clog2(Of),
  localparam int unsigned Lanes           = Simd / Of * Kept,
  localparam int unsigned ElementBits     = WeightBits + PlaceBits
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
  input  logic [Pe*Lanes*ElementBits-1:0] weights_data_i
);
  localparam int unsigned RowFolds = (Mh + Pe - 1) / Pe;
  localparam int unsigned ColFolds = Mw / Run * ((Run + Simd - 1) / Simd);
  localparam int unsigned InWidth  = Simd * InBits;

  if (Vectors < 1 || Pe < 1 || Pe > Mh || Simd < 1 || Simd > Mw || Run < 1 || Mw % Run != 0 || WeightsDepth != Words) begin : gen_check
    $fatal(1, "dfc_mvtu_sparse: Pe must be 1 to Mh, Simd 1 to Mw, Run divide Mw, Vectors be at least 1 and WeightsDepth the words");
  end
  if ((Arithmetic == 3 || Arithmetic == 4) && Words % RowFolds != 0) begin : gen_check_steps
    $fatal(1, "dfc_mvtu_sparse: carry chains add as many words for each fold of rows");
  end
  if (Kept < 1 || Kept > Of || Simd % Of != 0 || Words < RowFolds) begin : gen_check_places
    $fatal(1, "dfc_mvtu_sparse: Kept must be 1 to Of, Of divide Simd, and there be a word for each fold of rows");
  end

  logic step, ready, last, credit;
  logic [InWidth-1:0] inputs;
  assign step         = ready && (!last || credit);
  assign weights_en_o = step;
  dfc_mvtu_walk #(
    .Width(InWidth), .Beats(ColFolds), .Words(Words), .Style(VectorsStyle), .WalkStyle(WalkStyle), .File(WalkFile)
  ) u_walk (
    .clk_i, .rst_ni, .in_data_i, .in_valid_i, .in_ready_o, .ready_o(ready), .last_o(last), .word_o(weights_addr_o), .step_i(step),
    .inputs_o(inputs)
  );

  localparam int unsigned InputLanes = (Of > 1) ? Pe : 1;
  logic [InputLanes*Lanes*InBits-1:0] operands;
  logic [Pe*Lanes*WeightBits-1:0] weights;
  if (Of > 1) begin : gen_choice
    for (genvar i = 0; i < int'(Pe * Lanes); i++) begin : gen_lane
      logic [Of-1:0][InBits-1:0] group;
      logic [PlaceBits-1:0] place;
      assign group = inputs[i % int'(Lanes) / int'(Kept) * int'(Of * InBits) +: Of*InBits];
      assign {place, weights[i*WeightBits +: WeightBits]} = weights_data_i[i*ElementBits +: ElementBits];
      assign operands[i*InBits +: InBits] = group[place];
    end
  end else begin : gen_choice
    assign operands = inputs;
    assign weights  = weights_data_i;
  end

  dfc_mac #(
    .Pe(Pe), .Simd(Lanes), .InputLanes(InputLanes), .Terms(Mw), .Steps((Words % RowFolds == 0) ? Words / RowFolds : 0), .Folds(RowFolds),
    .InBits(InBits), .InSigned(InSigned), .InBipolar(InBipolar), .WeightBits(WeightBits), .WeightSigned(WeightSigned), .Xnor(0),
    .AccBits(AccBits), .AccSigned(AccSigned), .ThreshBits(ThreshBits), .ThreshFactorBits(ThreshFactorBits), .ThreshShift(ThreshShift),
    .ThreshShared(ThreshShared), .Flip(Flip),
    .OutBits(OutBits), .OutSigned(OutSigned), .Double(0), .Arithmetic(Arithmetic), .ThresholdsStyle(ThresholdsStyle),
    .Slots(Slots), .ThresholdsFile(ThresholdsFile)
  ) u_mac (
    .clk_i, .rst_ni, .credit_o(credit), .step_i(step), .last_i(last), .inputs_i(operands), .weights_i(weights),
    .out_data_o, .out_valid_o, .out_ready_i
  );

  `DFC_STREAM_STABLE(in_valid_i, in_ready_o, in_data_i)
endmodule
