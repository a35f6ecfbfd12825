// Read-only memory: entries Base .. Base + Depth - 1 of a file.
// Latency 1 cycle, one read a cycle; 0 where it is not Registered, and of a single entry, which is a constant.
// Style: 0 the tool's choice, 1 LUTs, 2 distributed RAM, 3 block RAM, 4 UltraRAM.
module dfc_rom #(
  parameter              File      = "",
  parameter int unsigned FileDepth = 16,
  parameter int unsigned Width     = 8,
  parameter int unsigned Base      = 0,
  parameter int unsigned Depth     = FileDepth,
  parameter int unsigned Style     = 0,
  parameter int unsigned Registered = 1,  // 0: for few words in LUTs, which join the logic behind them
  localparam int unsigned AddrBits = (Depth > 1) ? $clog2(Depth) : 1
) (
  input  logic                clk_i,
  input  logic                en_i,
  input  logic [AddrBits-1:0] addr_i,
  output logic [Width-1:0]    data_o
);
  if (Depth < 1 || Base + Depth > FileDepth) begin : gen_check
    $fatal(1, "dfc_rom: an entry lies outside the file");
  end

  localparam string RomStyle = (Style == 3) ? "block" : (Style == 4) ? "ultra" : (Style == 0) ? "auto" : "distributed";
  // Yosys reads ram_style first and has no distributed ROM; other tools go by rom_style.
  localparam string RamStyle = (RomStyle == "distributed") ? "registers" : RomStyle;

  if (Depth == 1) begin : gen_constant
    logic [Width-1:0] entry;
    initial begin
      automatic logic [Width-1:0] image [FileDepth];
      if (File != "") $readmemh(File, image);
      entry = image[Base];
    end
    assign data_o = entry;
    logic unused;
    assign unused = ^{clk_i, en_i, addr_i};
  end else if (Registered == 0) begin : gen_joined
    logic [Depth-1:0][Width-1:0] entries;
    initial begin
      automatic logic [Width-1:0] image [FileDepth];
      if (File != "") $readmemh(File, image);
      for (int unsigned i = 0; i < Depth; i++) entries[i] = image[Base + i];
    end
    dfc_pick #(.Width(Width), .Depth(Depth)) u_pick (.entries_i(entries), .addr_i, .data_o);
    logic unused;
    assign unused = ^{clk_i, en_i};
  end else begin : gen_memory
    (* rom_style = RomStyle, ram_style = RamStyle *) logic [Width-1:0] entries [Depth];
    if (Depth == FileDepth) begin : gen_whole
      initial if (File != "") $readmemh(File, entries);
    end else begin : gen_part
      initial begin
        automatic logic [Width-1:0] image [FileDepth];
        if (File != "") $readmemh(File, image);
        // A slice of a large array is too much for Verilator; a loop of copies takes Yosys' reader minutes.
`ifdef VERILATOR
        for (int unsigned i = 0; i < Depth; i++) entries[i] = image[Base + i];
`else
        entries = image[Base +: Depth];
`endif
      end
    end
    always_ff @(posedge clk_i) if (en_i) data_o <= entries[addr_i];
  end
  logic unused_style;
  assign unused_style = RamStyle == "auto";
endmodule
