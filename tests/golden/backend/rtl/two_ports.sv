// Design two_ports with AXI4-Stream ports and AXI4-Lite registers (dfc_axi_batch.sv): beats padded to a power of two of bytes,
// tlast on the last beat of a batch. Adds no cycle to the streams.
module two_ports (
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
  input  logic [7:0] s_axis0_tdata,
  input  logic [0:0] s_axis0_tkeep,
  input  logic s_axis0_tlast,
  input  logic s_axis0_tvalid,
  output logic s_axis0_tready,
  input  logic [7:0] s_axis1_tdata,
  input  logic [0:0] s_axis1_tkeep,
  input  logic s_axis1_tlast,
  input  logic s_axis1_tvalid,
  output logic s_axis1_tready,
  output logic [7:0] m_axis0_tdata,
  output logic [0:0] m_axis0_tkeep,
  output logic m_axis0_tlast,
  output logic m_axis0_tvalid,
  input  logic m_axis0_tready,
  output logic [7:0] m_axis1_tdata,
  output logic [0:0] m_axis1_tkeep,
  output logic m_axis1_tlast,
  output logic m_axis1_tvalid,
  input  logic m_axis1_tready
);
  logic [31:0] batch_frames;
  logic batch_clear, batch_restart;
  logic [1:0] frame_ends;

  logic [5:0] m_axis0_data;
  assign m_axis0_tdata = {2'b0, m_axis0_data};
  assign m_axis0_tkeep = '1;
  logic m_axis0_moves, m_axis0_frame;
  assign m_axis0_moves = m_axis0_tvalid && m_axis0_tready;
  assign frame_ends[0] = m_axis0_moves && m_axis0_frame;
  dfc_axi_last #(.Beats(72)) u_m_axis0_last (
    .clk_i(aclk),
    .rst_ni(aresetn),
    .moves_i(m_axis0_moves),
    .frames_i(batch_frames),
    .clear_i(batch_clear),
    .frame_o(m_axis0_frame),
    .last_o(m_axis0_tlast)
  );

  logic [5:0] m_axis1_data;
  assign m_axis1_tdata = {2'b0, m_axis1_data};
  assign m_axis1_tkeep = '1;
  logic m_axis1_moves, m_axis1_frame;
  assign m_axis1_moves = m_axis1_tvalid && m_axis1_tready;
  assign frame_ends[1] = m_axis1_moves && m_axis1_frame;
  dfc_axi_last #(.Beats(72)) u_m_axis1_last (
    .clk_i(aclk),
    .rst_ni(aresetn),
    .moves_i(m_axis1_moves),
    .frames_i(batch_frames),
    .clear_i(batch_clear),
    .frame_o(m_axis1_frame),
    .last_o(m_axis1_tlast)
  );

  dfc_axi_batch #(
    .Version(32'h00010000),
    .Hash(64'h938c553ea62122d4),
    .Outputs(2)
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
    .taken_i((s_axis0_tvalid && s_axis0_tready) || (s_axis1_tvalid && s_axis1_tready)),
    .frame_i(frame_ends)
  );
  assign s_axi_control_bresp = 2'b00;
  assign s_axi_control_rresp = 2'b00;
  logic unused_axi;
  assign unused_axi = ^{s_axi_control_awprot, s_axi_control_arprot, s_axi_control_wstrb, batch_restart, s_axis0_tkeep, s_axis0_tlast, s_axis0_tdata[7:3], s_axis1_tkeep, s_axis1_tlast, s_axis1_tdata[7:5]};

  two_ports_core u_core (
    .clk_i(aclk),
    .rst_ni(aresetn),
    .in0_data_i(s_axis0_tdata[2:0]),
    .in0_valid_i(s_axis0_tvalid),
    .in0_ready_o(s_axis0_tready),
    .in1_data_i(s_axis1_tdata[4:0]),
    .in1_valid_i(s_axis1_tvalid),
    .in1_ready_o(s_axis1_tready),
    .out0_data_o(m_axis0_data),
    .out0_valid_o(m_axis0_tvalid),
    .out0_ready_i(m_axis0_tready),
    .out1_data_o(m_axis1_data),
    .out1_valid_o(m_axis1_tvalid),
    .out1_ready_i(m_axis1_tready)
  );
endmodule
