// Cuts a block of bus words into AXI4 bursts of at most 16 beats that do not cross a 4-KiB border.
// A block is taken while idle; its first burst is offered the cycle after, then one burst a cycle.
module dfc_lb_burst #(
  parameter int unsigned BusBits = 64
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,
  input  logic        start_i,
  input  logic [31:0] address_i,
  input  logic [23:0] beats_i,
  output logic        idle_o,
  output logic        valid_o,
  input  logic        ready_i,
  output logic [31:0] address_o,
  output logic [7:0]  len_o
);
  localparam int unsigned Shift = $clog2(BusBits / 8);
  localparam int unsigned Page  = 4096 >> Shift;  // beats of a page

  logic [31:0] address_q;
  logic [23:0] beats_q;
  logic [23:0] page, count;
  assign page      = 24'(Page) - 24'(address_q[11:Shift]);
  assign idle_o    = beats_q == '0;
  assign valid_o   = !idle_o;
  assign address_o = address_q;
  always_comb begin
    count = (beats_q > 24'd16) ? 24'd16 : beats_q;
    if (count > page) count = page;
  end
  assign len_o = 8'(count - 24'd1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i) begin
      beats_q <= '0;
    end else if (start_i) begin
      beats_q   <= beats_i;
      address_q <= address_i;
    end else if (valid_o && ready_i) begin
      beats_q   <= beats_q - count;
      address_q <= address_q + (32'(count) << Shift);
    end
  end
endmodule
