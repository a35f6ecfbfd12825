// floor(sqrt(start * 4**steps / w)) by its `steps` bits, the highest first, one in a cycle: rest = start * 4**steps - root**2 * w and
// step = 4 * root * w + w in units of the bit that was found last; the next bit is 1 where 4 * rest is at least step. Both steps that may
// follow are found beside the comparison, which then only chooses.
// done_o is high steps + 1 cycles after load_i, and root_o then holds the root.
module dfc_inverse_root #(
  parameter int unsigned WBits    = 14,
  parameter int unsigned RootBits = 20,
  parameter int unsigned RestBits = 32,
  localparam int unsigned StepBits = $clog2(RootBits + 2)
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                load_i,
  input  logic [WBits-1:0]    w_i,
  input  logic [RestBits-1:0] start_i,
  input  logic [StepBits-1:0] steps_i,
  output logic                done_o,
  output logic [RootBits-1:0] root_o
);
  if (RootBits < 1 || RestBits < WBits + 2) begin : gen_check
    $fatal(1, "dfc_inverse_root: RootBits must be at least 1, RestBits at least WBits + 2");
  end

  logic [StepBits-1:0] left_q;
  logic [RestBits-1:0] rest_q, step_q, lifted, step_zero, step_one;
  logic [RestBits:0] less;
  logic [WBits-1:0] by_q;
  logic [WBits+1:0] thrice_q;
  logic zero;
  assign lifted = rest_q << 2;
  assign less   = {1'b0, lifted} - {1'b0, step_q};
  assign zero   = less[RestBits];
  assign step_zero = (step_q << 1) - RestBits'(by_q);
  assign step_one  = (step_q << 1) + RestBits'(thrice_q);
  assign done_o = left_q == StepBits'(1);
  always_ff @(posedge clk_i) begin
    if (!rst_ni)     left_q <= '0;
    else if (load_i) left_q <= steps_i + 1'b1;
    else if (left_q != '0) left_q <= left_q - 1'b1;
  end
  always_ff @(posedge clk_i) begin
    if (load_i) begin
      rest_q <= start_i;
      step_q <= RestBits'(w_i);
      by_q   <= w_i;
      thrice_q <= (WBits + 2)'(w_i) + {1'b0, w_i, 1'b0};
      root_o <= '0;
    end else begin
      rest_q <= zero ? lifted : less[RestBits-1:0];
      step_q <= zero ? step_zero : step_one;
      root_o <= RootBits'({root_o, !zero});
    end
  end
endmodule
