// Credit-based end of a pipeline that never stalls: a first-in first-out buffer of Slots beats.
// A slot is reserved by issue_i (only while credit_o is high); its beat may be pushed any number of cycles later and is
// valid the cycle after the push. The slot is free, and credit_o high, the cycle after the beat is taken.
`include "dfc_assert.svh"
module dfc_stream_out #(
  parameter int unsigned Width = 8,
  parameter int unsigned Slots = 2
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             issue_i,
  output logic             credit_o,
  input  logic             push_i,
  input  logic [Width-1:0] data_i,
  output logic [Width-1:0] out_data_o,
  output logic             out_valid_o,
  input  logic             out_ready_i
);
  localparam int unsigned CountBits = $clog2(Slots + 1);
  typedef logic [CountBits-1:0] count_t;

  if (Width < 1 || Slots < 1) begin : gen_check
    $fatal(1, "dfc_stream_out: Width and Slots must be at least 1");
  end

  logic   pop;
  count_t free_d, free_q;  // slots neither reserved nor filled
  count_t fill_d, fill_q;  // beats in the buffer
  logic   credit_q, valid_q;

  assign pop    = valid_q && out_ready_i;
  assign free_d = free_q + count_t'(pop) - count_t'(issue_i);
  assign fill_d = fill_q + count_t'(push_i) - count_t'(pop);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      free_q   <= count_t'(Slots);
      fill_q   <= '0;
      credit_q <= 1'b1;
      valid_q  <= 1'b0;
    end else begin
      free_q   <= free_d;
      fill_q   <= fill_d;
      credit_q <= free_d != '0;
      valid_q  <= fill_d != '0;
    end
  end

  if (Slots == 1) begin : gen_register
    logic [Width-1:0] beat_q;
    always_ff @(posedge clk_i) if (push_i) beat_q <= data_i;
    assign out_data_o = beat_q;
  end else if (Slots == 2 && Width <= 8) begin : gen_pair  // smaller than a memory of registers: the first beat, and one behind it
    logic [Width-1:0] first_q, second_q;
    logic full, moves;
    assign full  = fill_q[CountBits-1];
    assign moves = full ? pop : push_i && (pop || !valid_q);
    always_ff @(posedge clk_i) begin
      if (moves)  first_q  <= full ? second_q : data_i;
      if (push_i) second_q <= data_i;
    end
    assign out_data_o = first_q;
  end else begin : gen_memory
    localparam int unsigned AddrBits = $clog2(Slots);
    typedef logic [AddrBits-1:0] addr_t;
    logic [Width-1:0] beats [Slots];
    addr_t wr_q, rd_q;

    logic wr_last, rd_last;
    dfc_counter #(.Count(Slots)) u_write (.clk_i, .rst_ni, .step_i(push_i), .value_o(wr_q), .last_o(wr_last));
    dfc_counter #(.Count(Slots)) u_read (.clk_i, .rst_ni, .step_i(pop), .value_o(rd_q), .last_o(rd_last));
    logic unused;
    assign unused = wr_last ^ rd_last;
    always_ff @(posedge clk_i) if (push_i) beats[wr_q] <= data_i;
    assign out_data_o = beats[rd_q];
  end

  assign credit_o    = credit_q;
  assign out_valid_o = valid_q;

  `DFC_STREAM_STABLE(out_valid_o, out_ready_i, out_data_o)
  `DFC_ALWAYS(!issue_i || credit_o)
  `DFC_ALWAYS(!push_i || fill_q != count_t'(Slots))
endmodule
