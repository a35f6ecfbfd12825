// Passes beats on, 16 a frame, and breaks one rule; the first beat of a run says which: 0 none.
module fifo_test (
  input  logic       aclk,
  input  logic       aresetn,
  input  logic [7:0] s_axis_tdata,
  input  logic       s_axis_tvalid,
  output logic       s_axis_tready,
  output logic [7:0] m_axis_tdata,
  output logic       m_axis_tvalid,
  output logic       m_axis_tlast,
  input  logic       m_axis_tready
);
  logic [7:0] beats [256];
  logic [7:0] wr_q, rd_q, given_q, rule;
  logic [7:0] boot_q;  // starts anywhere
  logic       odd_q, lost_q, push, pop, extra;
  assign rule          = beats[0];
  assign s_axis_tready = 1'b1;
  assign push          = s_axis_tvalid && !(rule == 4 && wr_q == 8'd20 && !lost_q);  // a beat lost
  assign extra         = rule == 5 && given_q == 8'd48;                       // one too many, after the last frame
  assign m_axis_tvalid = (wr_q != rd_q && !(rule == 1 && odd_q)) || extra;    // falls before the transfer
  assign m_axis_tdata  = beats[rd_q] ^ {7'b0, rule == 2 && odd_q} ^ {7'b0, rule == 6 && rd_q == 8'd33}  // changes; wrong
                        ^ (rule == 10 ? boot_q : 8'd0);
  assign m_axis_tlast  = (given_q % 8'd16 == (rule == 3 ? 8'd14 : 8'd15)) && !(rule == 7 && given_q == 8'd31);
  assign pop           = m_axis_tvalid && m_axis_tready;
  always_ff @(posedge aclk) begin
    odd_q <= !odd_q;
    if (!aresetn) boot_q <= {boot_q[6:0], boot_q[7]};
    if (push) beats[wr_q] <= s_axis_tdata;
    if (!aresetn) begin
      {wr_q, rd_q, given_q, lost_q} <= '0;
    end else begin
      if (push) wr_q <= wr_q + 8'd1;
      lost_q <= lost_q || (s_axis_tvalid && !push);
      if (pop) begin
        rd_q    <= rd_q + 8'd1 - 8'(rule == 8 && rd_q == 8'd12 && given_q == 8'd12);  // a beat twice
        given_q <= given_q + 8'd1;
      end
    end
  end
`ifdef VERILATOR
  assert property (@(posedge aclk) disable iff (!aresetn) rule == 9 |-> given_q != 8'd40) else $error("an assertion of the design");
`endif
endmodule
