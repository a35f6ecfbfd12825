// Read-only memory in LUTs, of which one address bit comes late: both words that it chooses from are registered, and so is the bit.
// Entries and latency as of dfc_rom with style 1; read in each cycle. The late bit of addr_i is not looked at.
module dfc_rom_late #(
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
    $fatal(1, "dfc_rom_late: an entry lies outside the file, or the late bit outside the address");
  end

  (* rom_style = "distributed", ram_style = "registers" *) logic [Width-1:0] entries [Depth];
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
  logic late_q;
  always_ff @(posedge clk_i) begin
    zero_q <= entries[addr_i & ~Late];
    one_q  <= entries[addr_i | Late];
    late_q <= late_i;
  end
  assign data_o = late_q ? one_q : zero_q;
endmodule
