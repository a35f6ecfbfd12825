// Weight buffer of the loopback engine: words of Pe * Simd weights of WeightBits; narrower weights lie in parts of a word.
// Read latency 2: a word, then one part of it expanded to WeightBits signed bits a weight.
module dfc_lb_weights #(
  parameter int unsigned Pe          = 4,
  parameter int unsigned Simd        = 16,
  parameter int unsigned WeightWords = 64,
  parameter int unsigned WeightBits  = 8,
  parameter int unsigned BusBits     = 64,
  localparam int unsigned Lanes      = Pe * Simd,
  localparam int unsigned Width      = Lanes * WeightBits,
  localparam int unsigned Beats      = Width / BusBits,
  localparam int unsigned BeatBits   = Beats > 1 ? $clog2(Beats) : 1,
  localparam int unsigned AddrBits   = WeightWords > 1 ? $clog2(WeightWords) : 1
) (
  input  logic                clk_i,
  input  logic                load_i,
  input  logic [AddrBits-1:0] load_addr_i,
  input  logic [BeatBits-1:0] load_beat_i,
  input  logic [BusBits-1:0]  load_data_i,
  input  logic                read_i,
  input  logic [AddrBits-1:0] read_addr_i,
  input  logic [1:0]          width_i,  // with the word, one cycle after read_i
  input  logic [2:0]          part_i,
  output logic [Width-1:0]    weights_o
);
  localparam int unsigned WidthLog = $clog2(WeightBits);

  if (Width % BusBits != 0 || (WeightBits != 2 && WeightBits != 4 && WeightBits != 8)) begin : gen_check
    $fatal(1, "dfc_lb_weights: a word must be whole bus words, and WeightBits 2, 4 or 8");
  end

  logic [Width-1:0] word;
  logic [Beats-1:0] slices;
  for (genvar b = 0; b < int'(Beats); b++) begin : gen_slice
    assign slices[b] = load_i && load_beat_i == BeatBits'(b);
  end
  dfc_lb_ram #(.Slices(Beats), .SliceBits(BusBits), .Depth(WeightWords)) u_ram (
    .clk_i, .wr_en_i(slices), .wr_addr_i(load_addr_i), .wr_data_i({Beats{load_data_i}}),
    .rd_en_i(read_i), .rd_addr_i(read_addr_i), .rd_data_o(word)
  );

  logic [WidthLog:0][Width-1:0] wide;  // the chosen part, expanded, for each width
  for (genvar k = 0; k <= int'(WidthLog); k++) begin : gen_width
    localparam int unsigned Bits  = 1 << k;
    localparam int unsigned Parts = WeightBits / Bits;
    logic [Lanes*Bits-1:0] chosen;
    if (Parts == 1) begin : gen_whole
      assign chosen = word;
    end else begin : gen_part
      localparam int unsigned PartBits = $clog2(Parts);
      logic [Parts-1:0][Lanes*Bits-1:0] parts;
      assign parts  = word;
      assign chosen = parts[part_i[PartBits-1:0]];
    end
    for (genvar e = 0; e < int'(Lanes); e++) begin : gen_lane
      if (k == 0) begin : gen_bipolar
        assign wide[k][e*WeightBits +: WeightBits] = {{(WeightBits-1){!chosen[e]}}, 1'b1};
      end else begin : gen_signed
        assign wide[k][e*WeightBits +: WeightBits] = WeightBits'(signed'(chosen[e*Bits +: Bits]));
      end
    end
  end
  always_ff @(posedge clk_i) weights_o <= (32'(width_i) <= WidthLog) ? wide[width_i[$clog2(WidthLog+1)-1:0]] : wide[0];
  logic unused_part;
  assign unused_part = ^part_i;
endmodule
