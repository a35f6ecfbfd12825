// dfc_product_digits against a product written plainly.
module product_bench #(
  parameter int unsigned ABits = 3,
  parameter int unsigned FBits = 4,
  parameter int unsigned Stages = 1
) (
  input logic             clk_i,
  input logic [ABits-1:0] a_i,
  input logic [FBits-1:0] f_i
);
  logic [ABits+FBits-1:0] found;
  dfc_product_digits #(.ABits(ABits), .FBits(FBits), .Stages(Stages)) dut (.clk_i, .a_i, .f_i, .product_o(found));

  logic [Stages:0][ABits+FBits-1:0] wanted;
  logic [Stages:0] known = '0;
  assign wanted[0] = (ABits+FBits)'(signed'(a_i)) * (ABits+FBits)'(signed'(f_i));
  always_ff @(posedge clk_i) begin
    for (int unsigned s = 0; s < Stages; s++) wanted[s+1] <= wanted[s];
    known <= (Stages+1)'({known, 1'b1});
    if (known[Stages-1]) assert (found == wanted[Stages]);
  end
endmodule
