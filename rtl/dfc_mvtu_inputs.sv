// Input side of dfc_mvtu: counts the folds and keeps a vector of ColFolds beats to read it again for each further row fold.
// inputs_o holds a step's operands in the cycle after the step; one step a cycle.
module dfc_mvtu_inputs #(
  parameter int unsigned Width    = 8,
  parameter int unsigned RowFolds = 2,
  parameter int unsigned ColFolds = 2
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             step_i,
  input  logic [Width-1:0] in_data_i,
  output logic             first_row_o,  // the step takes in_data_i
  output logic             last_col_o,
  output logic [Width-1:0] inputs_o
);
  localparam int unsigned ColBits = (ColFolds > 1) ? $clog2(ColFolds) : 1;
  localparam int unsigned RowBits = (RowFolds > 1) ? $clog2(RowFolds) : 1;

  logic [ColBits-1:0] col_d, col_q;
  if (ColFolds > 1) begin : gen_col
    logic last_col_q;
    assign col_d      = last_col_q ? '0 : col_q + 1'b1;
    assign last_col_o = last_col_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        col_q      <= '0;
        last_col_q <= 1'b0;
      end else if (step_i) begin
        col_q      <= col_d;
        last_col_q <= col_d == ColBits'(ColFolds - 1);
      end
    end
  end else begin : gen_no_col
    assign {col_d, col_q} = '0;
    assign last_col_o = 1'b1;
  end

  if (RowFolds > 1) begin : gen_row
    logic [RowBits-1:0] row_q;
    logic first_row_q;
    assign first_row_o = first_row_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        row_q       <= '0;
        first_row_q <= 1'b1;
      end else if (step_i && last_col_o) begin
        row_q       <= (row_q == RowBits'(RowFolds - 1)) ? '0 : row_q + 1'b1;
        first_row_q <= row_q == RowBits'(RowFolds - 1);
      end
    end
  end else begin : gen_no_row
    assign first_row_o = 1'b1;
    logic unused;
    assign unused = rst_ni;
  end

  if (RowFolds > 1 && ColFolds > 1) begin : gen_buffer
    // Read one step ahead; that word was written ColFolds - 1 >= 1 steps ago at the latest.
    logic [Width-1:0] words [ColFolds];
    logic [Width-1:0] ahead_q;
    always_ff @(posedge clk_i) if (step_i && first_row_o) words[col_q] <= in_data_i;
    always_ff @(posedge clk_i) if (step_i) ahead_q <= words[col_d];
    always_ff @(posedge clk_i) if (step_i) inputs_o <= first_row_o ? in_data_i : ahead_q;
  end else begin : gen_register
    always_ff @(posedge clk_i) if (step_i && first_row_o) inputs_o <= in_data_i;
    logic unused;
    assign unused = ^{col_d, col_q, RowBits};
  end
endmodule
