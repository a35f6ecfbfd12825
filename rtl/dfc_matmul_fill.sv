// Write side of dfc_matmul: takes the matrices of a frame beat by beat into Banks memories of words of a beat each, Pages in turn.
// Rows come Blocks times, each time of every head in turn, Run of each; a row is Inner beats. Outer row o of a head goes into bank
// o % Banks. Takes a beat a cycle while a page is free; a page may be read 2 cycles after its last beat.
module dfc_matmul_fill #(
  parameter int unsigned Heads       = 1,
  parameter int unsigned Blocks      = 1,
  parameter int unsigned Run         = 4,
  parameter int unsigned Inner       = 2,
  parameter int unsigned Banks       = 2,
  parameter int unsigned OuterStride = 2,  // words from one fold of outer rows to the next
  parameter int unsigned InnerStride = 1,
  parameter int unsigned HeadStride  = 4,
  parameter int unsigned Pages       = 2,
  localparam int unsigned Words      = Heads * HeadStride,
  localparam int unsigned AddrBits   = $clog2(Pages * Words)
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                in_valid_i,
  output logic                in_ready_o,
  input  logic                read_i,   // a page was read for the last time
  output logic                full_o,   // a page may be read
  output logic [Banks-1:0]    wr_en_o,  // in the cycle after a take
  output logic [AddrBits-1:0] wr_addr_o
);
  localparam int unsigned BankBits = (Banks > 1) ? $clog2(Banks) : 1;

  if (Heads < 1 || Blocks < 1 || Run < 1 || Inner < 1 || Banks < 1 || Pages < 2 || Pages > 3) begin : gen_check
    $fatal(1, "dfc_matmul_fill: there must be at least 1 of everything, and 2 or 3 pages");
  end

  // Pages taken whole and not read: `taken` knows of one a cycle after its last beat, `filled` once its last word is written too.
  logic take, done, done_q;
  logic [1:0] taken_q, filled_q;
  assign in_ready_o = taken_q != 2'(Pages);
  assign take       = in_valid_i && in_ready_o;
  assign full_o     = filled_q != 2'd0;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {taken_q, filled_q} <= '0;
      done_q              <= 1'b0;
    end else begin
      taken_q  <= taken_q + 2'(done) - 2'(read_i);
      filled_q <= filled_q + 2'(done_q) - 2'(read_i);
      done_q   <= done;
    end
  end

  logic row, run, head, block;  // the last beat of a row, row of a run, head, block
  dfc_run_counter #(.Beats(Inner)) u_row (.clk_i, .rst_ni, .step_i(take), .last_o(row));
  dfc_run_counter #(.Beats(Run)) u_run (.clk_i, .rst_ni, .step_i(take && row), .last_o(run));
  dfc_run_counter #(.Beats(Heads)) u_head (.clk_i, .rst_ni, .step_i(take && row && run), .last_o(head));
  dfc_run_counter #(.Beats(Blocks)) u_block (.clk_i, .rst_ni, .step_i(take && row && run && head), .last_o(block));
  assign done = take && row && run && head && block;

  // Where the next beat goes: its fold of outer rows, its place in the row, its head, its page; each block begins where the last ended.
  logic [AddrBits-1:0] outer_q, outer_d, start_q, inner_q, head_q, page_q;
  logic [BankBits-1:0] bank_q, bank_d, first_q;
  logic fold;
  assign fold    = bank_q == BankBits'(Banks - 1);
  assign bank_d  = fold ? '0 : bank_q + 1'b1;
  assign outer_d = fold ? outer_q + AddrBits'(OuterStride) : outer_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {outer_q, start_q, inner_q, head_q, page_q} <= '0;
      {bank_q, first_q} <= '0;
    end else if (take) begin
      inner_q <= row ? '0 : inner_q + AddrBits'(InnerStride);
      if (row) begin
        bank_q  <= !run ? bank_d : head ? (block ? '0 : bank_d) : first_q;
        outer_q <= !run ? outer_d : head ? (block ? '0 : outer_d) : start_q;
      end
      if (row && run) head_q <= head ? '0 : head_q + AddrBits'(HeadStride);
      if (row && run && head) begin
        first_q <= block ? '0 : bank_d;
        start_q <= block ? '0 : outer_d;
      end
      if (done) page_q <= (page_q == AddrBits'((Pages - 1) * Words)) ? '0 : page_q + AddrBits'(Words);
    end
  end

  always_ff @(posedge clk_i) begin
    wr_addr_o <= outer_q + inner_q + head_q + page_q;
    for (int b = 0; b < int'(Banks); b++) wr_en_o[b] <= rst_ni && take && bank_q == BankBits'(b);
  end
endmodule
