// Counts the beats of runs: last_o is high while the next step is a run's last.
module dfc_run_counter #(
  parameter int unsigned Beats = 4
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic step_i,
  output logic last_o
);
  if (Beats > 1) begin : gen_count
    localparam int unsigned Width = $clog2(Beats);
    logic [Width-1:0] beat_q;
    assign last_o = beat_q == Width'(Beats - 1);
    always_ff @(posedge clk_i) begin
      if (!rst_ni)     beat_q <= '0;
      else if (step_i) beat_q <= last_o ? '0 : beat_q + 1'b1;
    end
  end else begin : gen_none
    assign last_o = 1'b1;
    logic unused;
    assign unused = ^{clk_i, rst_ni, step_i};
  end
endmodule
