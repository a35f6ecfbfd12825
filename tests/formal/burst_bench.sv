// dfc_lb_burst: bursts of at most 16 beats that cross no border of 4 KiB and together are the block, in order.
module burst_bench (
  input logic        clk_i,
  input logic        reset_i,
  input logic        start_i,
  input logic [12:0] address_i,  // two pages
  input logic [5:0]  beats_i,
  input logic        ready_i
);
  logic started_q = 1'b0, rst_n, idle, valid;
  logic [31:0] address, address_q;
  logic [23:0] left_q;
  logic [7:0]  len;
  always_ff @(posedge clk_i) started_q <= 1'b1;
  assign rst_n = started_q && !reset_i;
  dfc_lb_burst #(.BusBits(64)) dut (
    .clk_i, .rst_ni(rst_n), .clear_i(1'b0), .start_i(start_i && idle), .address_i(32'(address_i)), .beats_i(24'(beats_i)), .idle_o(idle),
    .valid_o(valid), .ready_i, .address_o(address), .len_o(len)
  );
  always_ff @(posedge clk_i) begin
    if (!rst_n) begin
      left_q <= '0;
    end else if (start_i && idle) begin
      left_q    <= 24'(beats_i);
      address_q <= 32'(address_i);
    end else if (valid && ready_i) begin
      left_q    <= left_q - 24'(len) - 24'd1;
      address_q <= address_q + 32'd8 * (32'(len) + 32'd1);
    end
  end
  in_page: assert property (@(posedge clk_i) disable iff (!rst_n) !valid || 32'(address[11:3]) + 32'(len) < 32'd512);
  short: assert property (@(posedge clk_i) disable iff (!rst_n) !valid || len < 8'd16);
  whole: assert property (@(posedge clk_i) disable iff (!rst_n) idle == (left_q == '0) && valid == !idle);
  fits: assert property (@(posedge clk_i) disable iff (!rst_n) !valid || 24'(len) < left_q);
  order: assert property (@(posedge clk_i) disable iff (!rst_n) !valid || address == address_q);
endmodule
