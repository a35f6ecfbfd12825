// Place modulo Stuff of something that moves by Step: carry_o tells that the next step crosses one multiple of Stuff more.
// clear_i goes back to First; one step a cycle.
module dfc_window_phase #(
  parameter int          First = 0,
  parameter int unsigned Step = 1,
  parameter int unsigned Stuff = 1
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic clear_i,
  input  logic step_i,
  output logic carry_o
);
  function automatic int modulo(int a, int b);
    return a >= 0 ? a % b : b - 1 - ((-a - 1) % b);
  endfunction

  if (Stuff > 1) begin : gen_phase
    localparam int unsigned Bits = $clog2(2 * Stuff) + 1;
    logic [Bits-1:0] phase_q, sum;
    assign sum     = phase_q + Bits'(Step % Stuff);
    assign carry_o = sum >= Bits'(Stuff);
    always_ff @(posedge clk_i) begin
      if (!rst_ni || clear_i) phase_q <= Bits'(modulo(First, int'(Stuff)));
      else if (step_i)        phase_q <= carry_o ? sum - Bits'(Stuff) : sum;
    end
  end else begin : gen_plain
    logic unused;
    assign unused  = ^{clk_i, rst_ni, clear_i, step_i};
    assign carry_o = 1'b0;
  end
endmodule
