// Whose turn it is: Folds0 steps of the first, then Folds1 of the second, and so on. The output is a register.
module dfc_turns #(
  parameter int unsigned Folds0 = 1,
  parameter int unsigned Folds1 = 1
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic step_i,
  output logic second_o
);
  localparam int unsigned Most = Folds0 > Folds1 ? Folds0 : Folds1;
  localparam int unsigned Bits = Most > 1 ? $clog2(Most) : 1;
  logic [Bits-1:0] count_q;
  logic last;
  assign last = count_q == (second_o ? Bits'(Folds1 - 1) : Bits'(Folds0 - 1));
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      count_q  <= '0;
      second_o <= 1'b0;
    end else if (step_i) begin
      count_q  <= last ? '0 : count_q + 1'b1;
      second_o <= second_o ^ last;
    end
  end
endmodule
