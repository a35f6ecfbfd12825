// The sum of what comes with step_i, from the first to the last; sum_o is complete in the cycle after the last, for one cycle at least.
module dfc_accumulate #(
  parameter int unsigned Bits  = 8,
  parameter int unsigned Start = 0  // it starts with start_i
) (
  input  logic            clk_i,
  input  logic            rst_ni,
  input  logic            step_i,
  input  logic            first_i,
  input  logic            last_i,
  input  logic [Bits-1:0] value_i,
  input  logic [Bits-1:0] start_i,
  output logic [Bits-1:0] sum_o
);
  if (Start != 0) begin : gen_start
    logic [Bits-1:0] begun;
    assign begun = first_i ? start_i : sum_o;
    always_ff @(posedge clk_i) if (step_i) sum_o <= value_i + begun;
    logic unused;
    assign unused = rst_ni ^ last_i;
  end else begin : gen_zero
    // Two registers: one restarts at 0 after a last step (its synchronous reset costs no logic), one keeps the result.
    logic [Bits-1:0] partial_q, total_d;
    assign total_d = partial_q + value_i;
    always_ff @(posedge clk_i) begin
      if (!rst_ni || last_i) partial_q <= '0;
      else if (step_i)       partial_q <= total_d;
    end
    always_ff @(posedge clk_i) sum_o <= total_d;
    logic unused;
    assign unused = ^{first_i, start_i};
  end
endmodule
