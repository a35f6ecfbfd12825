// Counts the beats of runs: last_o is high while the next step is a run's last.
module dfc_run_counter #(
  parameter int unsigned Beats = 4
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic step_i,
  output logic last_o
);
  logic [((Beats > 1) ? $clog2(Beats) : 1)-1:0] beat;
  dfc_counter #(.Count(Beats)) u_count (.clk_i, .rst_ni, .step_i, .value_o(beat), .last_o);
  logic unused;
  assign unused = ^beat;
endmodule
