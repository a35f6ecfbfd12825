// dfc_rom_shared against two memories of their own: the same word at each port, whatever the ports are asked for and when.
// Words: shared.mem, first.mem, second.mem.
module rom_shared_bench #(
  parameter int unsigned FirstWidth  = 2,
  parameter int unsigned FirstDepth  = 3,
  parameter int unsigned SecondWidth = 2,
  parameter int unsigned SecondDepth = 4
) (
  input logic                          clk_i,
  input logic                          first_en_i,
  input logic [$clog2(FirstDepth)-1:0]  first_addr_i,
  input logic                          second_en_i,
  input logic [$clog2(SecondDepth)-1:0] second_addr_i
);
  logic [FirstWidth-1:0]  first, first_alone;
  logic [SecondWidth-1:0] second, second_alone;
  dfc_rom_shared #(
    .File("shared.mem"), .FirstWidth(FirstWidth), .FirstDepth(FirstDepth), .SecondWidth(SecondWidth), .SecondDepth(SecondDepth)
  ) dut (
    .clk_i, .first_en_i, .first_addr_i, .first_data_o(first), .second_en_i, .second_addr_i, .second_data_o(second)
  );
  dfc_rom #(.File("first.mem"), .FileDepth(FirstDepth), .Width(FirstWidth)) u_first (
    .clk_i, .en_i(first_en_i), .addr_i(first_addr_i), .data_o(first_alone)
  );
  dfc_rom #(.File("second.mem"), .FileDepth(SecondDepth), .Width(SecondWidth)) u_second (
    .clk_i, .en_i(second_en_i), .addr_i(second_addr_i), .data_o(second_alone)
  );

  // Set once a word of the memory, not one beyond its end, was read last.
  logic first_q = 1'b0, second_q = 1'b0;
  always_ff @(posedge clk_i) begin
    if (first_en_i) first_q <= 32'(first_addr_i) < FirstDepth;
    if (second_en_i) second_q <= 32'(second_addr_i) < SecondDepth;
  end
  first_same: assert property (@(posedge clk_i) !first_q || first == first_alone);
  second_same: assert property (@(posedge clk_i) !second_q || second == second_alone);
endmodule
