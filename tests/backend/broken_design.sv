// Passes beats on, 16 a frame, and breaks one rule; the first beat of a run says which: 0 none.
module fifo_test (
  input  logic       aclk,
  input  logic       aresetn,
  input  logic [7:0] s_axi_control_awaddr,
  input  logic [2:0] s_axi_control_awprot,
  input  logic s_axi_control_awvalid,
  output logic s_axi_control_awready,
  input  logic [31:0] s_axi_control_wdata,
  input  logic [3:0] s_axi_control_wstrb,
  input  logic s_axi_control_wvalid,
  output logic s_axi_control_wready,
  output logic [1:0] s_axi_control_bresp,
  output logic s_axi_control_bvalid,
  input  logic s_axi_control_bready,
  input  logic [7:0] s_axi_control_araddr,
  input  logic [2:0] s_axi_control_arprot,
  input  logic s_axi_control_arvalid,
  output logic s_axi_control_arready,
  output logic [31:0] s_axi_control_rdata,
  output logic [1:0] s_axi_control_rresp,
  output logic s_axi_control_rvalid,
  input  logic s_axi_control_rready,
  input  logic [7:0] s_axis_tdata,
  input  logic       s_axis_tkeep,
  input  logic       s_axis_tlast,
  input  logic       s_axis_tvalid,
  output logic       s_axis_tready,
  output logic [7:0] m_axis_tdata,
  output logic       m_axis_tvalid,
  output logic       m_axis_tkeep,
  output logic       m_axis_tlast,
  input  logic       m_axis_tready
);
  logic unused, write;
  assign m_axis_tkeep = 1'b1;
  assign {s_axi_control_bresp, s_axi_control_rresp} = '0;
  assign unused = ^{s_axi_control_awaddr, s_axi_control_awprot, s_axi_control_wdata, s_axi_control_wstrb, s_axi_control_araddr,
                    s_axi_control_arprot, s_axis_tkeep, s_axis_tlast, write};
  dfc_axi_lite u_axi (
    .clk_i(aclk), .rst_ni(aresetn), .aw_valid_i(s_axi_control_awvalid), .aw_ready_o(s_axi_control_awready),
    .w_valid_i(s_axi_control_wvalid), .w_ready_o(s_axi_control_wready), .b_valid_o(s_axi_control_bvalid),
    .b_ready_i(s_axi_control_bready), .ar_valid_i(s_axi_control_arvalid), .ar_ready_o(s_axi_control_arready),
    .r_data_o(s_axi_control_rdata), .r_valid_o(s_axi_control_rvalid), .r_ready_i(s_axi_control_rready), .write_o(write), .read_data_i('0)
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
