// Each of Rows rows of Terms elements times the matrix of its head, which in1 brought before it; then thresholds. Pe columns by Simd terms
// a step. Row r of in0 is of head r / RowsRun % Heads, and so are the rows of in1 with MatrixRun: the columns of a term, or where
// Transposed the terms of a column. Pages matrices of each head are kept: one comes in while rows pass another.
// Interval the larger of Rows * ColumnFolds * TermFolds cycles and of in1's beats; latency from the last term's step: see dfc_mac.
`include "dfc_assert.svh"
module dfc_matmul #(
  parameter int unsigned Rows            = 4,
  parameter int unsigned Heads           = 1,
  parameter int unsigned RowsRun         = 1,
  parameter int unsigned MatrixRun       = 1,
  parameter int unsigned Transposed      = 0,
  parameter int unsigned Columns         = 4,
  parameter int unsigned Terms           = 8,
  parameter int unsigned Pe              = 2,
  parameter int unsigned Simd            = 4,
  parameter int unsigned InBits          = 2,
  parameter int unsigned InSigned        = 0,
  parameter int unsigned InBipolar       = 0,
  parameter int unsigned WeightBits      = 2,
  parameter int unsigned WeightSigned    = 1,
  parameter int unsigned WeightBipolar   = 0,
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
  parameter int unsigned MatrixStyle     = 0,
  parameter int unsigned ThresholdsStyle = 0,
  parameter int unsigned Slots           = 4,
  parameter int unsigned Pages           = 2,
  parameter              ThresholdsFile  = "",
  localparam int unsigned BeatLanes      = (Transposed != 0) ? Simd : Pe
) (
  input  logic                            clk_i,
  input  logic                            rst_ni,
  input  logic [Simd*InBits-1:0]          in0_data_i,
  input  logic                            in0_valid_i,
  output logic                            in0_ready_o,
  input  logic [BeatLanes*WeightBits-1:0] in1_data_i,
  input  logic                            in1_valid_i,
  output logic                            in1_ready_o,
  output logic [Pe*OutBits-1:0]           out_data_o,
  output logic                            out_valid_o,
  input  logic                            out_ready_i
);
  localparam int unsigned ColFolds   = (Columns + Pe - 1) / Pe;
  localparam int unsigned TermFolds  = (Terms + Simd - 1) / Simd;
  localparam int unsigned HeadWords  = ColFolds * TermFolds;
  localparam int unsigned Words      = Heads * HeadWords;
  localparam int unsigned AddrBits   = $clog2(Pages * Words);
  localparam int unsigned Outer      = (Transposed != 0) ? Columns : Terms;
  localparam int unsigned Banks      = (Transposed != 0) ? Pe : Simd;
  localparam int unsigned BeatBits   = BeatLanes * WeightBits;
  localparam int unsigned InWidth    = Simd * InBits;
  // What is multiplied: bipolar elements as -1 or +1 in two bits.
  localparam int unsigned XBits      = (InBipolar != 0) ? 2 : InBits;
  localparam int unsigned WBits      = (WeightBipolar != 0) ? 2 : WeightBits;

  if (Pe < 1 || Pe > Columns || Simd < 1 || Simd > Terms || Outer % MatrixRun != 0 || Rows % (Heads * RowsRun) != 0) begin : gen_check
    $fatal(1, "dfc_matmul: Pe must be 1 to Columns, Simd 1 to Terms, and runs divide their rows");
  end

  // A step takes a beat of in0 in the first fold of columns, and gives an output beat in the last fold of terms.
  logic step, first, last_term, credit, full, read;
  assign step        = full && (!first || in0_valid_i) && (!last_term || credit);
  assign in0_ready_o = full && first && (!last_term || credit);

  logic [Banks-1:0] wr_en;
  logic [AddrBits-1:0] wr_addr;
  logic [BeatBits-1:0] beat_q;
  always_ff @(posedge clk_i) beat_q <= in1_data_i;
  dfc_matmul_fill #(
    .Heads(Heads), .Blocks(Outer / MatrixRun), .Run(MatrixRun), .Inner((Transposed != 0) ? TermFolds : ColFolds), .Banks(Banks),
    .OuterStride((Transposed != 0) ? TermFolds : 1), .InnerStride((Transposed != 0) ? 1 : TermFolds), .HeadStride(HeadWords),
    .Pages(Pages)
  ) u_fill (
    .clk_i, .rst_ni, .in_valid_i(in1_valid_i), .in_ready_o(in1_ready_o), .read_i(read), .full_o(full), .wr_en_o(wr_en), .wr_addr_o(wr_addr)
  );

  // The word of a step: the rows of a run read their head's words again, and each further run of heads those of all.
  logic row, run, head, frame;  // the last step of a row, row of a run, run of a head, run of all heads
  dfc_run_counter #(.Beats(HeadWords)) u_row (.clk_i, .rst_ni, .step_i(step), .last_o(row));
  dfc_run_counter #(.Beats(RowsRun)) u_run (.clk_i, .rst_ni, .step_i(step && row), .last_o(run));
  dfc_run_counter #(.Beats(Heads)) u_head (.clk_i, .rst_ni, .step_i(step && row && run), .last_o(head));
  dfc_run_counter #(.Beats(Rows / (Heads * RowsRun))) u_frame (.clk_i, .rst_ni, .step_i(step && row && run && head), .last_o(frame));
  assign read = step && row && run && head && frame;

  logic [AddrBits-1:0] word_q, word_d;
  always_comb begin
    word_d = word_q + 1'b1;
    if (row && !run)                        word_d = word_q - AddrBits'(HeadWords - 1);
    else if (row && head && !frame)         word_d = word_q - AddrBits'(Words - 1);
    else if (word_q == AddrBits'(Pages * Words - 1)) word_d = '0;
  end
  always_ff @(posedge clk_i) begin
    if (!rst_ni)   word_q <= '0;
    else if (step) word_q <= word_d;
  end

  logic [Banks*BeatBits-1:0] banks;
  for (genvar b = 0; b < int'(Banks); b++) begin : gen_bank
    dfc_ram #(.Width(BeatBits), .Depth(Pages * Words), .Style(MatrixStyle)) u_ram (
      .clk_i, .wr_en_i(wr_en[b]), .wr_addr_i(wr_addr), .wr_data_i(beat_q),
      .rd_en_i(step), .rd_addr_i(word_q), .rd_data_o(banks[b*BeatBits +: BeatBits])
    );
  end
  logic [Pe*Simd*WeightBits-1:0] weights;
  if (Transposed != 0) begin : gen_by_column
    assign weights = banks;
  end else begin : gen_by_term
    for (genvar p = 0; p < int'(Pe); p++) begin : gen_column
      for (genvar s = 0; s < int'(Simd); s++) begin : gen_term
        assign weights[(p*Simd+s)*WeightBits +: WeightBits] = banks[(s*Pe+p)*WeightBits +: WeightBits];
      end
    end
  end

  logic [InWidth-1:0] inputs;
  logic last_row;
  logic [Simd*XBits-1:0] values, operands;
  logic [Pe*Simd*WBits-1:0] factors;
  dfc_mvtu_inputs #(.Width(InWidth), .RowFolds(ColFolds), .ColFolds(TermFolds)) u_inputs (
    .clk_i, .rst_ni, .step_i(step), .in_data_i(in0_data_i), .first_row_o(first), .last_col_o(last_term), .last_row_o(last_row), .inputs_o(inputs)
  );
  logic unused_row;
  assign unused_row = last_row;
  dfc_extend #(.Lanes(Simd), .InBits(InBits), .InSigned(InSigned), .InBipolar(InBipolar), .OutBits(XBits))
    u_values (.in_i(inputs), .out_o(values));
  dfc_extend #(.Lanes(Pe * Simd), .InBits(WeightBits), .InSigned(WeightSigned), .InBipolar(WeightBipolar), .OutBits(WBits))
    u_factors (.in_i(weights), .out_o(factors));
  // Lanes that the last fold of terms does not need count nothing.
  localparam int unsigned Tail = Terms % Simd;
  if (Tail != 0) begin : gen_mask
    logic tail_q;
    always_ff @(posedge clk_i) if (step) tail_q <= last_term;
    assign operands = tail_q ? values & {{(Simd-Tail)*XBits{1'b0}}, {Tail*XBits{1'b1}}} : values;
  end else begin : gen_mask
    assign operands = values;
  end

  dfc_mac #(
    .Pe(Pe), .Simd(Simd), .InputLanes(1), .Terms(Terms), .Steps(TermFolds), .Folds(ColFolds), .InBits(XBits), .InSigned(InSigned), .InBipolar(0),
    .WeightBits(WBits), .WeightSigned(WeightSigned), .Xnor(0), .AccBits(AccBits), .AccSigned(AccSigned), .ThreshBits(ThreshBits),
    .ThreshFactorBits(ThreshFactorBits), .ThreshShift(ThreshShift), .ThreshShared(ThreshShared), .Flip(Flip), .OutBits(OutBits),
    .OutSigned(OutSigned), .Double(0), .Arithmetic(Arithmetic), .ThresholdsStyle(ThresholdsStyle), .Slots(Slots),
    .ThresholdsFile(ThresholdsFile)
  ) u_mac (
    .clk_i, .rst_ni, .credit_o(credit), .step_i(step), .last_i(last_term), .inputs_i(operands), .weights_i(factors),
    .out_data_o, .out_valid_o, .out_ready_i
  );

  `DFC_STREAM_STABLE(in0_valid_i, in0_ready_o, in0_data_i)
  `DFC_STREAM_STABLE(in1_valid_i, in1_ready_o, in1_data_i)
endmodule
