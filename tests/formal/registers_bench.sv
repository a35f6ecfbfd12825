// dfc_lb_registers: a start is a 1 written to the control register and nothing else; answers wait, unchanged.
module registers_bench (
  input logic        clk_i,
  input logic        reset_i,
  input logic [7:0]  aw_addr_i,
  input logic        aw_valid_i,
  input logic [31:0] w_data_i,
  input logic        w_valid_i,
  input logic        b_ready_i,
  input logic [7:0]  ar_addr_i,
  input logic        ar_valid_i,
  input logic        r_ready_i,
  input logic        busy_i
);
  logic started_q = 1'b0, rst_n, aw_ready, w_ready, b_valid, ar_ready, r_valid, start, told_q, b_held_q, r_held_q;
  logic [31:0] r_data, r_data_q;
  always_ff @(posedge clk_i) started_q <= 1'b1;
  assign rst_n = started_q && !reset_i;
  dfc_lb_registers dut (
    .clk_i, .rst_ni(rst_n), .aw_addr_i, .aw_valid_i, .aw_ready_o(aw_ready), .w_data_i, .w_valid_i, .w_ready_o(w_ready), .b_valid_o(b_valid),
    .b_ready_i, .ar_addr_i, .ar_valid_i, .ar_ready_o(ar_ready), .r_data_o(r_data), .r_valid_o(r_valid), .r_ready_i, .start_o(start),
    .address_o(), .bytes_o(), .busy_i, .done_i(!busy_i), .error_i('0), .index_i('0), .cycles_i('0)
  );
  always_ff @(posedge clk_i) begin
    told_q   <= rst_n && aw_valid_i && aw_ready && aw_addr_i[7:2] == '0 && w_data_i[0];
    b_held_q <= rst_n && b_valid && !b_ready_i;
    r_held_q <= rst_n && r_valid && !r_ready_i;
    r_data_q <= r_data;
  end
  starts: assert property (@(posedge clk_i) disable iff (!rst_n) start == told_q);
  together: assert property (@(posedge clk_i) disable iff (!rst_n) aw_ready == w_ready && (!aw_ready || (aw_valid_i && w_valid_i)));
  answers: assert property (@(posedge clk_i) disable iff (!rst_n) (!b_held_q || b_valid) && (!r_held_q || (r_valid && r_data == r_data_q)));
endmodule
