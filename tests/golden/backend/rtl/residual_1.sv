// Design Residual-1 with AXI4-Stream ports: beats padded to bytes, tlast on the last beat of an output frame.
// Adds no cycle: only the tlast counters are registers.
module residual_1 (
  input  logic aclk,
  input  logic aresetn,
  input  logic [7:0] s_axis_tdata,
  input  logic s_axis_tvalid,
  output logic s_axis_tready,
  output logic [7:0] m_axis_tdata,
  output logic m_axis_tvalid,
  output logic m_axis_tlast,
  input  logic m_axis_tready
);
  logic unused_s_axis;
  assign unused_s_axis = ^s_axis_tdata[7:6];  // padding

  logic [7:0] m_axis_data;
  assign m_axis_tdata = m_axis_data;
  logic [5:0] m_axis_beat_q;
  assign m_axis_tlast = m_axis_beat_q == 6'd35;
  always_ff @(posedge aclk) begin
    if (!aresetn) m_axis_beat_q <= '0;
    else if (m_axis_tvalid && m_axis_tready) m_axis_beat_q <= m_axis_tlast ? '0 : m_axis_beat_q + 1'b1;
  end

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
