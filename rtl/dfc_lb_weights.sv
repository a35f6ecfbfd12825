// Weight buffer of the loopback engine: words of Pe * Simd weights of WeightBits; narrower weights lie in parts of a word.
// Read latency 2: a word, then one part of it expanded to WeightBits signed bits a weight.
module dfc_lb_weights #(
  parameter int unsigned Pe          = 4,
  parameter int unsigned Simd        = 16,
  parameter int unsigned WeightWords = 64,
  parameter int unsigned WeightBits  = 8,
  parameter int unsigned CodeBits    = 0,
  parameter int unsigned BusBits     = 64,
  localparam int unsigned Lanes      = Pe * Simd,
  localparam int unsigned Width      = Lanes * WeightBits,
  localparam int unsigned Beats      = Width / BusBits,
  localparam int unsigned BeatBits   = Beats > 1 ? $clog2(Beats) : 1,
  localparam int unsigned AddrBits   = WeightWords > 1 ? $clog2(WeightWords) : 1
) (
  input  logic                clk_i,
  input  logic                load_i,
  input  logic                levels_i,  // a bus word of 16 levels of 8 bits
  input  logic [1:0]          coded_i,   // 0: weights; else numbers of levels, of 1 << (coded_i - 1) bits
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

  // A bus word of numbers becomes as many bus words of weights as a weight is wider than a number.
  logic [3:0][Beats-1:0]              slices;  // by coded_i
  logic [3:0][Beats-1:0][BusBits-1:0] loaded;
  logic [127:0]                       levels_q;
  for (genvar c = 0; c < 4; c++) begin : gen_coded
    localparam int unsigned Bits  = c == 0 ? WeightBits : 1 << (c - 1);
    localparam int unsigned Ratio = Bits < WeightBits ? WeightBits / Bits : 1;
    if (c == 0 || (Bits <= CodeBits && Beats % Ratio == 0)) begin : gen_there
      logic [Ratio*BusBits-1:0] expanded;
      if (c == 0) begin : gen_plain
        assign expanded = load_data_i;
      end else begin : gen_levels
        for (genvar e = 0; e < int'(BusBits / Bits); e++) begin : gen_level
          assign expanded[e*WeightBits +: WeightBits] = levels_q[8*32'(load_data_i[e*Bits +: Bits]) +: WeightBits];
        end
      end
      for (genvar b = 0; b < int'(Beats); b++) begin : gen_slice
        assign slices[c][b] = load_i && load_beat_i == BeatBits'(b / Ratio);
        assign loaded[c][b] = expanded[(b%Ratio)*BusBits +: BusBits];
      end
    end else begin : gen_none
      assign {slices[c], loaded[c]} = '0;
    end
  end
  if (CodeBits != 0) begin : gen_table
    always_ff @(posedge clk_i) if (levels_i) levels_q <= (128)'({load_data_i, levels_q} >> BusBits);
  end else begin : gen_no_table
    assign levels_q = '0;
    logic unused_coding;
    assign unused_coding = ^{levels_i, levels_q};
  end

  logic [Width-1:0] word;
  dfc_lb_ram #(.Slices(Beats), .SliceBits(BusBits), .Depth(WeightWords)) u_ram (
    .clk_i, .wr_en_i(slices[coded_i]), .wr_addr_i(load_addr_i), .wr_data_i(loaded[coded_i]),
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
