// Keeps rows of Beats beats until what is made of each row as a whole is known, then gives their beats again, Pages rows at most.
// take_o is a beat of in; result_i comes with result_valid_i any number of cycles after its row's last beat, row by row. A step gives the
// next beat of a row whose result has come, both in the cycle after. A page is free the cycle after its last step.
module dfc_row_buffer #(
  parameter int unsigned Width       = 8,
  parameter int unsigned ResultWidth = 8,
  parameter int unsigned Beats       = 4,
  parameter int unsigned Pages       = 3,
  parameter int unsigned Style       = 0
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic [Width-1:0]       in_data_i,
  input  logic                   in_valid_i,
  output logic                   in_ready_o,
  output logic                   take_o,
  output logic                   last_o,  // of a row
  input  logic                   result_valid_i,
  input  logic [ResultWidth-1:0] result_i,
  output logic                   ready_o,
  input  logic                   step_i,
  output logic [Width-1:0]       beat_o,
  output logic [ResultWidth-1:0] result_o
);
  localparam int unsigned Words    = Pages * Beats;
  localparam int unsigned AddrBits = $clog2(Words);
  localparam int unsigned PageBits = (Pages > 1) ? $clog2(Pages) : 1;
  localparam int unsigned FillBits = $clog2(Pages + 1);

  if (Beats < 1 || Pages < 2) begin : gen_check
    $fatal(1, "dfc_row_buffer: Beats must be at least 1 and Pages 2");
  end

  logic last, tail, done, read;
  logic [FillBits-1:0] taken_q, known_q;  // rows taken whole, and those whose result has come; not read to their end
  assign in_ready_o = taken_q != FillBits'(Pages);
  assign take_o     = in_valid_i && in_ready_o;
  assign last_o     = last;
  assign done       = take_o && last;
  assign ready_o    = known_q != '0;
  assign read       = step_i && tail;
  dfc_run_counter #(.Beats(Beats)) u_take (.clk_i, .rst_ni, .step_i(take_o), .last_o(last));
  dfc_run_counter #(.Beats(Beats)) u_step (.clk_i, .rst_ni, .step_i, .last_o(tail));
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {taken_q, known_q} <= '0;
    end else begin
      taken_q <= taken_q + FillBits'(done) - FillBits'(read);
      known_q <= known_q + FillBits'(result_valid_i) - FillBits'(read);
    end
  end

  logic [AddrBits-1:0] wr_q, rd_q;
  logic [PageBits-1:0] made_q, page_q;  // whose result comes next, whose beats are given
  logic [ResultWidth-1:0] results [Pages];
  logic [3:0] ends;
  dfc_counter #(.Count(Words)) u_write (.clk_i, .rst_ni, .step_i(take_o), .value_o(wr_q), .last_o(ends[0]));
  dfc_counter #(.Count(Words)) u_read  (.clk_i, .rst_ni, .step_i(step_i), .value_o(rd_q), .last_o(ends[1]));
  dfc_counter #(.Count(Pages)) u_made  (.clk_i, .rst_ni, .step_i(result_valid_i), .value_o(made_q), .last_o(ends[2]));
  dfc_counter #(.Count(Pages)) u_page  (.clk_i, .rst_ni, .step_i(read), .value_o(page_q), .last_o(ends[3]));
  logic unused_ends;
  assign unused_ends = ^ends;
  always_ff @(posedge clk_i) if (result_valid_i) results[made_q] <= result_i;
  always_ff @(posedge clk_i) if (step_i) result_o <= results[page_q];
  dfc_ram #(.Width(Width), .Depth(Words), .Style(Style)) u_ram (
    .clk_i, .wr_en_i(take_o), .wr_addr_i(wr_q), .wr_data_i(in_data_i), .rd_en_i(step_i), .rd_addr_i(rd_q), .rd_data_o(beat_o)
  );
endmodule
