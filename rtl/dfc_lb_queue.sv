// First-in first-out queue of descriptors or records; the head is visible while it waits.
// Latency 1; one in and one out a cycle. Depth is a power of two.
module dfc_lb_queue #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 4
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clear_i,
  input  logic             in_valid_i,
  output logic             in_ready_o,
  input  logic [Width-1:0] in_data_i,
  output logic             out_valid_o,
  input  logic             out_ready_i,
  output logic [Width-1:0] out_data_o
);
  localparam int unsigned Bits = $clog2(Depth);

  if (Depth < 2 || (Depth & (Depth - 1)) != 0) begin : gen_check
    $fatal(1, "dfc_lb_queue: Depth must be a power of two, at least 2");
  end

  logic [Width-1:0] words [Depth];
  logic [Bits:0]    head_q, tail_q;
  assign in_ready_o  = (tail_q - head_q) != (Bits + 1)'(Depth);
  assign out_valid_o = tail_q != head_q;
  assign out_data_o  = words[head_q[Bits-1:0]];

  always_ff @(posedge clk_i) begin
    if (in_valid_i && in_ready_o) words[tail_q[Bits-1:0]] <= in_data_i;
    if (!rst_ni || clear_i) begin
      head_q <= '0;
      tail_q <= '0;
    end else begin
      if (in_valid_i && in_ready_o) tail_q <= tail_q + 1'b1;
      if (out_valid_o && out_ready_i) head_q <= head_q + 1'b1;
    end
  end
endmodule
