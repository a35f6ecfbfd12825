// Input side of dfc_mvtu: counts the folds and keeps a vector of ColFolds beats to read it again for each further row fold.
// inputs_o holds a step's operands in the cycle after the step; one step a cycle.
module dfc_mvtu_inputs #(
  parameter int unsigned Width    = 8,
  parameter int unsigned RowFolds = 2,
  parameter int unsigned ColFolds = 2,
  parameter int unsigned Style    = 0  // 2: distributed RAM that is read in the cycle after the step, where vectors are read again
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             step_i,
  input  logic [Width-1:0] in_data_i,
  output logic             first_row_o,  // the step takes in_data_i
  output logic             last_col_o,
  output logic             last_row_o,
  output logic [Width-1:0] inputs_o
);
  localparam int unsigned ColBits = (ColFolds > 1) ? $clog2(ColFolds) : 1;

  logic [ColBits-1:0] col_q;
  dfc_counter #(.Count(ColFolds)) u_col (.clk_i, .rst_ni, .step_i, .value_o(col_q), .last_o(last_col_o));
  dfc_run_counter #(.Beats(RowFolds)) u_row (.clk_i, .rst_ni, .step_i(step_i && last_col_o), .last_o(last_row_o));
  if (RowFolds > 1) begin : gen_row
    logic first_row_q;
    assign first_row_o = first_row_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni)                   first_row_q <= 1'b1;
      else if (step_i && last_col_o) first_row_q <= last_row_o;
    end
  end else begin : gen_no_row
    assign first_row_o = 1'b1;
  end

  if (RowFolds > 1 && ColFolds > 1 && Style == 2) begin : gen_late
    logic [Width-1:0] words [ColFolds];
    logic [ColBits-1:0] read_q;
    always_ff @(posedge clk_i) if (step_i && first_row_o) words[col_q] <= in_data_i;
    always_ff @(posedge clk_i) if (step_i) read_q <= col_q;
    assign inputs_o = words[read_q];
  end else if (RowFolds > 1 && ColFolds > 1) begin : gen_buffer
    // Read one step ahead; that word was written ColFolds - 1 >= 1 steps ago at the latest.
    logic [Width-1:0] words [ColFolds];
    logic [Width-1:0] ahead_q;
    logic [ColBits-1:0] next;
    assign next = last_col_o ? '0 : col_q + 1'b1;
    always_ff @(posedge clk_i) if (step_i && first_row_o) words[col_q] <= in_data_i;
    always_ff @(posedge clk_i) if (step_i) ahead_q <= words[next];
    always_ff @(posedge clk_i) if (step_i) inputs_o <= first_row_o ? in_data_i : ahead_q;
  end else begin : gen_register
    always_ff @(posedge clk_i) if (step_i && first_row_o) inputs_o <= in_data_i;
    logic unused;
    assign unused = ^col_q;
  end
  logic unused_style;
  assign unused_style = ^Style;
endmodule
