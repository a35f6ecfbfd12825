// Read-only memory in block RAM whose words are known a cycle early but for one address bit: both words that it chooses from are read
// behind two ports, and the chosen one is registered. Entries as of dfc_rom; latency 2 cycles from addr_i, whose late bit is not looked
// at, and 1 from late_i; one read a cycle.
module dfc_rom_early #(
  parameter              File      = "",
  parameter int unsigned FileDepth = 16,
  parameter int unsigned Width     = 8,
  parameter int unsigned Base      = 0,
  parameter int unsigned Depth     = FileDepth,
  parameter int unsigned LateBit   = 0,
  localparam int unsigned AddrBits = $clog2(Depth)
) (
  input  logic                clk_i,
  input  logic [AddrBits-1:0] addr_i,
  input  logic                late_i,
  output logic [Width-1:0]    data_o
);
  if (Base + Depth > FileDepth || LateBit >= AddrBits) begin : gen_check
    $fatal(1, "dfc_rom_early: an entry lies outside the file, or the late bit outside the address");
  end

  (* rom_style = "block", ram_style = "block" *) logic [Width-1:0] entries [Depth];
  initial begin
    automatic logic [Width-1:0] image [FileDepth];
    if (File != "") $readmemh(File, image);
`ifdef VERILATOR
    for (int unsigned i = 0; i < Depth; i++) entries[i] = image[Base + i];
`else
    entries = image[Base +: Depth];
`endif
  end

  localparam logic [AddrBits-1:0] Late = AddrBits'(1) << LateBit;
  logic [Width-1:0] zero_q, one_q;
  always_ff @(posedge clk_i) zero_q <= entries[addr_i & ~Late];
  always_ff @(posedge clk_i) one_q <= entries[addr_i | Late];
  always_ff @(posedge clk_i) data_o <= late_i ? one_q : zero_q;
endmodule
