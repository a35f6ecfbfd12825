// What the sums of a lane start with so that their highest bit is the code of one threshold: half the range of their bits minus the
// threshold of each fold in turn, plus Offset.
// The file is that of dfc_threshold_core for codes of one bit: node 1 of a lane's tree, padded to a power of two folds.
// The words follow advance_i in the next cycle; they are LUTs that join the logic behind them.
module dfc_starts #(
  parameter                    File       = "",
  parameter int unsigned       Lanes      = 1,
  parameter int unsigned       Folds      = 1,
  parameter int unsigned       Shared     = 0,  // one row of one lane serves all folds and lanes
  parameter int unsigned       ThreshBits = 8,
  parameter int unsigned       Signed     = 0,  // thresholds are
  parameter int unsigned       Width      = 8,  // of a sum
  parameter logic [Width-1:0]  Offset     = '0
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        advance_i,  // the sums of a fold are complete
  output logic [Lanes-1:0][Width-1:0] words_o,    // of the fold whose sums are made
  output logic [Lanes-1:0][Width-1:0] next_o,     // of the one after it
  output logic [Lanes-1:0][Width-1:0] first_o     // of the first
);
  localparam int unsigned Rows     = (Shared != 0) ? 1 : Folds;
  localparam int unsigned FoldBits = (Rows > 1) ? $clog2(Rows) : 1;
  localparam int unsigned RowDepth = 1 << $clog2(Rows);
  localparam int unsigned Depth    = (((Shared != 0) ? 1 : Lanes) << 1) * RowDepth;

  logic [FoldBits-1:0] fold_q;
  logic last;
  dfc_counter #(.Count(Rows)) u_fold (.clk_i, .rst_ni, .step_i(advance_i), .value_o(fold_q), .last_o(last));
  logic unused;
  assign unused = last;

  for (genvar l = 0; l < int'(Lanes); l++) begin : gen_lane
    localparam int unsigned Base = 2 * ((Shared != 0) ? 0 : l) * RowDepth + RowDepth;
    logic [Rows-1:0][Width-1:0] entries, later;  // later: those of one fold later
    initial begin
      automatic logic [ThreshBits-1:0] image [Depth];
      if (File != "") $readmemh(File, image);
      for (int unsigned i = 0; i < Rows; i++) begin
        entries[i] = Offset + (Width'(1) << (Width - 1)) - ((Signed != 0) ? Width'(signed'(image[Base + i])) : Width'(image[Base + i]));
        later[(i+Rows-1)%Rows] = entries[i];
      end
    end
    dfc_pick #(.Width(Width), .Depth(Rows)) u_word (.entries_i(entries), .addr_i(fold_q), .data_o(words_o[l]));
    dfc_pick #(.Width(Width), .Depth(Rows)) u_next (.entries_i(later), .addr_i(fold_q), .data_o(next_o[l]));
    assign first_o[l] = entries[0];
  end
endmodule
