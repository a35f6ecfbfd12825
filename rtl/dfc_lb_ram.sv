// Memory with a write port that writes any of its slices and a synchronous read port.
// Style: 0 auto, 4 UltraRAM. Read latency 1; one read and one write a cycle; a read during a write to the same address gives the old word.
module dfc_lb_ram #(
  parameter int unsigned Slices    = 2,
  parameter int unsigned SliceBits = 8,
  parameter int unsigned Depth     = 16,
  parameter int unsigned Style     = 0,
  localparam int unsigned AddrBits = Depth > 1 ? $clog2(Depth) : 1
) (
  input  logic                        clk_i,
  input  logic [Slices-1:0]           wr_en_i,
  input  logic [AddrBits-1:0]         wr_addr_i,
  input  logic [Slices*SliceBits-1:0] wr_data_i,
  input  logic                        rd_en_i,
  input  logic [AddrBits-1:0]         rd_addr_i,
  output logic [Slices*SliceBits-1:0] rd_data_o
);
  localparam string StyleName = Style == 4 ? "ultra" : "auto";
  (* ram_style = StyleName *) logic [Slices*SliceBits-1:0] words [Depth];
  logic [Slices*SliceBits-1:0] read_q;
  assign rd_data_o = read_q;
  logic unused;
  assign unused = StyleName == "auto";
  always_ff @(posedge clk_i) begin
    for (int unsigned s = 0; s < Slices; s++) begin
      if (wr_en_i[s]) words[wr_addr_i][s*SliceBits +: SliceBits] <= wr_data_i[s*SliceBits +: SliceBits];
    end
    if (rd_en_i) read_q <= words[rd_addr_i];
  end
endmodule
