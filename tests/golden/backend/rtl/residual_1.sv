// Design Residual-1 with AXI4-Stream ports and AXI4-Lite registers (dfc_axi_batch.sv): beats padded to a power of two of bytes,
// tlast on the last beat of a batch. Adds no cycle to the streams.
module residual_1 (
  input  logic aclk,
  input  logic aresetn,
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
  input  logic [0:0] s_axis_tkeep,
  input  logic s_axis_tlast,
  input  logic s_axis_tvalid,
  output logic s_axis_tready,
  output logic [7:0] m_axis_tdata,
  output logic [0:0] m_axis_tkeep,
  output logic m_axis_tlast,
  output logic m_axis_tvalid,
  input  logic m_axis_tready
);
  logic [31:0] batch_frames;
  logic batch_clear, batch_restart;
  logic [0:0] frame_ends;

  logic [7:0] m_axis_data;
  assign m_axis_tdata = m_axis_data;
  assign m_axis_tkeep = '1;
  logic m_axis_moves, m_axis_frame;
  assign m_axis_moves = m_axis_tvalid && m_axis_tready;
  assign frame_ends[0] = m_axis_moves && m_axis_frame;
  dfc_axi_last #(.Beats(36)) u_m_axis_last (
    .clk_i(aclk),
    .rst_ni(aresetn),
    .moves_i(m_axis_moves),
    .frames_i(batch_frames),
    .clear_i(batch_clear),
    .frame_o(m_axis_frame),
    .last_o(m_axis_tlast)
  );

  dfc_axi_batch #(
    .Version(32'h00010000),
    .Hash(64'h840c27b7c242cbea),
    .Outputs(1)
  ) u_batch (
    .clk_i(aclk),
    .rst_ni(aresetn),
    .aw_addr_i(s_axi_control_awaddr),
    .aw_valid_i(s_axi_control_awvalid),
    .aw_ready_o(s_axi_control_awready),
    .w_data_i(s_axi_control_wdata),
    .w_valid_i(s_axi_control_wvalid),
    .w_ready_o(s_axi_control_wready),
    .b_valid_o(s_axi_control_bvalid),
    .b_ready_i(s_axi_control_bready),
    .ar_addr_i(s_axi_control_araddr),
    .ar_valid_i(s_axi_control_arvalid),
    .ar_ready_o(s_axi_control_arready),
    .r_data_o(s_axi_control_rdata),
    .r_valid_o(s_axi_control_rvalid),
    .r_ready_i(s_axi_control_rready),
    .frames_o(batch_frames),
    .clear_o(batch_clear),
    .restart_o(batch_restart),
    .taken_i((s_axis_tvalid && s_axis_tready)),
    .frame_i(frame_ends)
  );
  assign s_axi_control_bresp = 2'b00;
  assign s_axi_control_rresp = 2'b00;
  logic unused_axi;
  assign unused_axi = ^{s_axi_control_awprot, s_axi_control_arprot, s_axi_control_wstrb, batch_restart, s_axis_tkeep, s_axis_tlast, s_axis_tdata[7:6]};

  residual_1_core u_core (
    .clk_i(aclk),
    .rst_ni(aresetn),
    .in_data_i(s_axis_tdata[5:0]),
    .in_valid_i(s_axis_tvalid),
    .in_ready_o(s_axis_tready),
    .out_data_o(m_axis_data),
    .out_valid_o(m_axis_tvalid),
    .out_ready_i(m_axis_tready)
  );
endmodule
