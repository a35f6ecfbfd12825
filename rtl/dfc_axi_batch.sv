// AXI4-Lite registers of a design with AXI4-Stream ports, and what ends a batch of frames (byte address: meaning).
// 00 control: for hosts that start an HLS design; ignored  10 frames N of a batch: TLAST comes with the last beat of every N frames
// 18 version  20, 28 hash of the design, low and high word  30 cycles from the first beat taken to the end of the last frame complete
// 38 frames complete  40 a write of 1 lets a streaming design start again, which must be at rest: its states are the first ones then.
// A write to N starts a batch and sets both counters to zero; after reset N is 1.
module dfc_axi_batch #(
  parameter logic [31:0] Version = 32'h0,
  parameter logic [63:0] Hash    = 64'h0,
  parameter int unsigned Outputs = 1
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  aw_addr_i,
  input  logic        aw_valid_i,
  output logic        aw_ready_o,
  input  logic [31:0] w_data_i,
  input  logic        w_valid_i,
  output logic        w_ready_o,
  output logic        b_valid_o,
  input  logic        b_ready_i,
  input  logic [7:0]  ar_addr_i,
  input  logic        ar_valid_i,
  output logic        ar_ready_o,
  output logic [31:0] r_data_o,
  output logic        r_valid_o,
  input  logic        r_ready_i,
  output logic [31:0] frames_o,  // of a batch
  output logic        clear_o,   // a batch starts
  output logic        restart_o,
  input  logic        taken_i,   // an input takes a beat
  input  logic [Outputs-1:0] frame_i  // an output hands over the last beat of a frame
);
  logic write;
  assign clear_o = write && aw_addr_i[7:2] == 6'h04;

  always_ff @(posedge clk_i) restart_o <= rst_ni && write && aw_addr_i[7:2] == 6'h10 && w_data_i[0];

  logic [31:0] cycles_q, count_q, done_q;
  logic        running_q;
  // A frame is complete when every output is past it.
  logic [31:0] ended_q[Outputs];
  logic        complete;
  always_comb begin
    complete = 1'b1;
    for (int i = 0; i < int'(Outputs); i++) if (ended_q[i] == done_q) complete = 1'b0;
  end
  logic [31:0] value;
  always_comb begin
    unique case (ar_addr_i[7:2])
      6'h04:   value = frames_o;
      6'h06:   value = Version;
      6'h08:   value = Hash[31:0];
      6'h0a:   value = Hash[63:32];
      6'h0c:   value = cycles_q;
      6'h0e:   value = done_q;
      default: value = '0;
    endcase
  end

  dfc_axi_lite u_axi (
    .clk_i, .rst_ni, .aw_valid_i, .aw_ready_o, .w_valid_i, .w_ready_o, .b_valid_o, .b_ready_i, .ar_valid_i, .ar_ready_o,
    .r_data_o, .r_valid_o, .r_ready_i, .write_o(write), .read_data_i(value)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) frames_o <= 32'd1;
    else if (clear_o) frames_o <= w_data_i;
    if (!rst_ni || clear_o) begin
      {running_q, count_q, cycles_q, done_q} <= '0;
      for (int i = 0; i < int'(Outputs); i++) ended_q[i] <= '0;
    end else begin
      running_q <= running_q || taken_i;
      if (running_q || taken_i) count_q <= count_q + 1'b1;
      for (int i = 0; i < int'(Outputs); i++) if (frame_i[i]) ended_q[i] <= ended_q[i] + 1'b1;
      if (complete) begin
        cycles_q <= count_q;  // up to the cycle before this one, in which the frame's last beat went
        done_q   <= done_q + 1'b1;
      end
    end
  end
  logic unused_low;
  assign unused_low = ^{aw_addr_i[1:0], ar_addr_i[1:0]};
endmodule
