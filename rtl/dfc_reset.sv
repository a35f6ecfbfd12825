// Reset after power-on: active until ready_i (the clock is steady) has been high for 16 cycles. Registers start at 0, as devices load them.
module dfc_reset (
  input  logic clk_i,
  input  logic ready_i,
  output logic rst_no
);
  logic [3:0] wait_q;
  logic       rst_nq;
  initial begin
    wait_q = '0;
    rst_nq = 1'b0;
  end
  always_ff @(posedge clk_i) begin
    if (!ready_i)          wait_q <= '0;
    else if (wait_q != '1) wait_q <= wait_q + 1'b1;
    rst_nq <= wait_q == '1;
  end
  assign rst_no = rst_nq;
endmodule
