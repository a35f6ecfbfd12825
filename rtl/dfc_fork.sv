// One stream to two readers: both get every beat, each at its own time, out of one buffer of two beats.
// Latency 1, interval 1 cycle.
`include "dfc_assert.svh"
module dfc_fork #(
  parameter int unsigned Beats = 1,  // of a frame; only the C++ model needs it
  parameter int unsigned Width = 8
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [Width-1:0] in_data_i,
  input  logic             in_valid_i,
  output logic             in_ready_o,
  output logic [Width-1:0] out0_data_o,
  output logic             out0_valid_o,
  input  logic             out0_ready_i,
  output logic [Width-1:0] out1_data_o,
  output logic             out1_valid_o,
  input  logic             out1_ready_i
);
  if (Width < 1 || Beats < 1) begin : gen_check
    $fatal(1, "dfc_fork: Width and Beats must be at least 1");
  end

  logic [Width-1:0] beats_q [2];
  logic             wr_q, credit_q, push;
  logic [1:0]       ready, valid_q, rd_q, pop;  // one bit for each reader
  logic [1:0]       fill_q [2], fill_d [2];     // beats that a reader still has to take
  assign in_ready_o = credit_q;
  assign push       = in_valid_i && credit_q;
  assign ready      = {out1_ready_i, out0_ready_i};
  assign pop        = valid_q & ready;

  for (genvar i = 0; i < 2; i++) begin : gen_reader
    assign fill_d[i] = fill_q[i] + 2'(push) - 2'(pop[i]);
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        fill_q[i]  <= '0;
        valid_q[i] <= 1'b0;
        rd_q[i]    <= 1'b0;
      end else begin
        fill_q[i]  <= fill_d[i];
        valid_q[i] <= fill_d[i] != '0;
        rd_q[i]    <= rd_q[i] ^ pop[i];
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      wr_q     <= 1'b0;
      credit_q <= 1'b1;
    end else begin
      wr_q     <= wr_q ^ push;
      credit_q <= !fill_d[0][1] && !fill_d[1][1];
    end
  end
  always_ff @(posedge clk_i) if (push) beats_q[wr_q] <= in_data_i;

  assign out0_data_o  = beats_q[rd_q[0]];
  assign out1_data_o  = beats_q[rd_q[1]];
  assign out0_valid_o = valid_q[0];
  assign out1_valid_o = valid_q[1];

  `DFC_STREAM_STABLE(out0_valid_o, out0_ready_i, out0_data_o)
  `DFC_STREAM_STABLE(out1_valid_o, out1_ready_i, out1_data_o)
endmodule
