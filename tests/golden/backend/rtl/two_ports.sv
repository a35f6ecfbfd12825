// Design two_ports with AXI4-Stream ports: beats padded to bytes, tlast on the last beat of an output frame.
// Adds no cycle: only the tlast counters are registers.
module two_ports (
  input  logic aclk,
  input  logic aresetn,
  input  logic [7:0] s_axis0_tdata,
  input  logic s_axis0_tvalid,
  output logic s_axis0_tready,
  input  logic [7:0] s_axis1_tdata,
  input  logic s_axis1_tvalid,
  output logic s_axis1_tready,
  output logic [7:0] m_axis0_tdata,
  output logic m_axis0_tvalid,
  output logic m_axis0_tlast,
  input  logic m_axis0_tready,
  output logic [7:0] m_axis1_tdata,
  output logic m_axis1_tvalid,
  output logic m_axis1_tlast,
  input  logic m_axis1_tready
);
  logic unused_s_axis0;
  assign unused_s_axis0 = ^s_axis0_tdata[7:3];  // padding
  logic unused_s_axis1;
  assign unused_s_axis1 = ^s_axis1_tdata[7:5];  // padding

  logic [5:0] m_axis0_data;
  assign m_axis0_tdata = {2'b0, m_axis0_data};
  logic [6:0] m_axis0_beat_q;
  assign m_axis0_tlast = m_axis0_beat_q == 7'd71;
  always_ff @(posedge aclk) begin
    if (!aresetn) m_axis0_beat_q <= '0;
    else if (m_axis0_tvalid && m_axis0_tready) m_axis0_beat_q <= m_axis0_tlast ? '0 : m_axis0_beat_q + 1'b1;
  end

  logic [5:0] m_axis1_data;
  assign m_axis1_tdata = {2'b0, m_axis1_data};
  logic [6:0] m_axis1_beat_q;
  assign m_axis1_tlast = m_axis1_beat_q == 7'd71;
  always_ff @(posedge aclk) begin
    if (!aresetn) m_axis1_beat_q <= '0;
    else if (m_axis1_tvalid && m_axis1_tready) m_axis1_beat_q <= m_axis1_tlast ? '0 : m_axis1_beat_q + 1'b1;
  end

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
