// Memory with a write port and a synchronous read port; a read during a write to the same address gives an unknown word.
// Read latency 1; one read and one write a cycle. Style: 0 auto, 1 registers, 2 LUTRAM, 3 block RAM, 4 UltraRAM.
module dfc_ram #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 16,
  parameter int unsigned Style = 0,
  localparam int unsigned AddrBits = Depth > 1 ? $clog2(Depth) : 1
) (
  input  logic                clk_i,
  input  logic                wr_en_i,
  input  logic [AddrBits-1:0] wr_addr_i,
  input  logic [Width-1:0]    wr_data_i,
  input  logic                rd_en_i,
  input  logic [AddrBits-1:0] rd_addr_i,
  output logic [Width-1:0]    rd_data_o
);
  localparam string StyleName = Style == 1 ? "registers" : Style == 2 ? "distributed" : Style == 3 ? "block" : Style == 4 ? "ultra" : "auto";

  if (Width < 1 || Depth < 1 || Style > 4) begin : gen_check
    $fatal(1, "dfc_ram: Width and Depth must be at least 1, Style at most 4");
  end

  if (Depth == 1) begin : gen_register
    logic [Width-1:0] word_q, read_q;
    always_ff @(posedge clk_i) begin
      if (wr_en_i) word_q <= wr_data_i;
      if (rd_en_i) read_q <= word_q;
    end
    assign rd_data_o = read_q;
    logic unused;
    assign unused = ^{wr_addr_i, rd_addr_i, StyleName == "auto"};
  end else begin : gen_memory
    (* ram_style = StyleName *) logic [Width-1:0] words [Depth];
    logic [Width-1:0] read_q;
    always_ff @(posedge clk_i) begin
      if (wr_en_i) words[wr_addr_i] <= wr_data_i;
      // Said so, no tool adds logic to make such a read known.
      if (rd_en_i) read_q <= wr_en_i && wr_addr_i == rd_addr_i ? 'x : words[rd_addr_i];
    end
    assign rd_data_o = read_q;
    logic unused;
    assign unused = StyleName == "auto";
  end
endmodule
