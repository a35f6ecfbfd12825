// Counts the beats of an AXI4-Stream output: `frame_o` with the last one of a frame, `last_o` with that of the last frame of a batch.
module dfc_axi_last #(
  parameter int unsigned Beats = 1  // of a frame
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        moves_i,   // a beat is handed over
  input  logic [31:0] frames_i,  // of a batch
  input  logic        clear_i,   // the next frame is a batch's first
  output logic        frame_o,
  output logic        last_o
);
  localparam int unsigned Bits = Beats > 2 ? $clog2(Beats) : 1;
  logic [31:0] left_q;  // frames of the batch after this one
  if (Beats == 1) begin : g_single
    assign frame_o = 1'b1;
  end else begin : g_count
    logic [Bits-1:0] beat_q;
    assign frame_o = beat_q == Bits'(Beats - 1);
    always_ff @(posedge clk_i) begin
      if (!rst_ni) beat_q <= '0;
      else if (moves_i) beat_q <= frame_o ? '0 : beat_q + 1'b1;
    end
  end
  // The new count reaches frames_i a cycle after clear_i; no beat of the batch can come before.
  logic load_q;
  logic ends;
  assign ends   = left_q == '0;
  assign last_o = frame_o && ends;
  always_ff @(posedge clk_i) begin
    load_q <= clear_i || !rst_ni;
    if (!rst_ni) left_q <= '0;
    else if (load_q) left_q <= frames_i - 1'b1;
    else if (moves_i && frame_o) left_q <= ends ? frames_i - 1'b1 : left_q - 1'b1;
  end
endmodule
