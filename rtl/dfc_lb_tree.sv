// Thresholds of the loopback engine: a search tree for each row, one level a stage; or the bias of the row.
// The nodes of the last level are a table where the levels before make the count: its entry is the result.
// With ScaleBits the first nodes of the first three levels may be a multiplier and an offset instead: then the fifth stage has the code.
// One result a cycle, latency TreeLevels + 1.
`include "dfc_lb_types.svh"
module dfc_lb_tree #(
  parameter int unsigned Pe         = 4,
  parameter int unsigned TreeLevels = 4,
  parameter int unsigned TreeBanks  = 2,
  parameter int unsigned AccBits    = 32,
  parameter int unsigned ScaleBits  = 0,
  parameter int unsigned BusBits    = 64,
  localparam int unsigned Beats     = Pe * AccBits / BusBits,
  localparam int unsigned BeatBits  = Beats > 1 ? $clog2(Beats) : 1
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  load_i,
  input  logic [23:0]           load_addr_i,  // bank * 2**TreeLevels + node; node 0: bias, or with thresholds twice the least code plus the flip
  input  logic [BeatBits-1:0]   load_beat_i,
  input  logic [BusBits-1:0]    load_data_i,
  input  logic                  valid_i,
  input  logic [Pe*AccBits-1:0] sums_i,
  input  dfc_lb_result_t        result_i,
  output logic                  valid_o,
  output logic [Pe*AccBits-1:0] values_o,
  output dfc_lb_result_t        result_o
);
  localparam int unsigned Rows     = BusBits / AccBits;  // rows that one bus word fills
  localparam int unsigned BankBits = TreeBanks > 1 ? $clog2(TreeBanks) : 1;

  if (ScaleBits != 0 && TreeLevels < 5) begin : gen_check_scale
    $fatal(1, "dfc_lb_tree: a requantization takes TreeLevels of 5 at least");
  end
  if (Pe * AccBits % BusBits != 0 || BusBits % AccBits != 0 || TreeLevels < 1 || TreeLevels > 8 || TreeBanks > 4) begin : gen_check
    $fatal(1, "dfc_lb_tree: Pe words must be whole bus words, BusBits whole words, TreeLevels 1 to 8 and TreeBanks at most 4");
  end

  logic [BankBits-1:0]   load_bank;
  logic [TreeLevels-1:0] load_node;
  assign load_bank = BankBits'(load_addr_i >> TreeLevels);
  assign load_node = load_addr_i[TreeLevels-1:0];

  logic           [TreeLevels:0]                            valid_q;
  logic           [TreeLevels:0][Pe*AccBits-1:0]            sums_q;
  dfc_lb_result_t [TreeLevels:0]                            result_q;
  logic           [TreeLevels:0][Pe-1:0][TreeLevels-1:0]    count_q;
  assign valid_q[0]  = valid_i;
  assign sums_q[0]   = sums_i;
  assign result_q[0] = result_i;
  assign count_q[0]  = '0;

  for (genvar l = 0; l < int'(TreeLevels); l++) begin : gen_level
    localparam int unsigned Depth = TreeBanks << l;
    localparam int unsigned Bits  = Depth > 1 ? $clog2(Depth) : 1;
    logic            here;
    logic [Bits-1:0] where;
    assign here  = load_i && (load_node >> l) == TreeLevels'(1);
    assign where = Bits'((32'(load_bank) << l) | (32'(load_node) & ((1 << l) - 1)));
    for (genvar p = 0; p < int'(Pe); p++) begin : gen_row
      logic signed [AccBits-1:0] nodes [Depth];
      logic signed [AccBits-1:0] node, sum, sum_d;
      always_ff @(posedge clk_i) begin
        if (here && load_beat_i == BeatBits'(p / Rows)) nodes[where] <= load_data_i[(p%Rows)*AccBits +: AccBits];
      end
      assign node = nodes[Bits'((32'(result_q[l].bank) << l) | 32'(count_q[l][p]))];
      assign sum  = sums_q[l][p*AccBits +: AccBits];
      if (l == 4 && ScaleBits != 0) begin : gen_scale
        logic [15:0] code;
        dfc_lb_scale #(.AccBits(AccBits), .ScaleBits(ScaleBits)) u_scale (
          .clk_i, .factor_i(ScaleBits'(gen_level[0].gen_row[p].node)),
          .sum_i(gen_level[1].gen_row[p].sum[(AccBits < 35 ? AccBits : 35)-1:0]),
          .low_i(gen_level[1].gen_row[p].node), .high_i(gen_level[2].gen_row[p].node),
          .shift_i(result_q[l].scale_shift), .bits_i(result_q[l].levels), .code_o(code)
        );
        assign sum_d = result_q[l].scale ? AccBits'(code) : sum;
      end else begin : gen_no_scale
        assign sum_d = sum;
      end
      always_ff @(posedge clk_i) begin
        sums_q[l+1][p*AccBits +: AccBits] <= (l == int'(TreeLevels) - 1 && result_q[l].lookup) ? node : sum_d;
        if (4'(l) < result_q[l].levels && !result_q[l].scale) count_q[l+1][p] <= TreeLevels'({count_q[l][p], sum >= node});
        else                            count_q[l+1][p] <= count_q[l][p];
      end
    end
    always_ff @(posedge clk_i) begin
      result_q[l+1] <= result_q[l];
      if (!rst_ni) valid_q[l+1] <= 1'b0;
      else         valid_q[l+1] <= valid_q[l];
    end
  end

  dfc_lb_result_t info;
  assign info = result_q[TreeLevels];
  for (genvar p = 0; p < int'(Pe); p++) begin : gen_value
    logic [AccBits-1:0]    roots [TreeBanks];
    logic [AccBits-1:0]    root, least;
    logic [TreeLevels-1:0] mask, pattern;
    logic [8:0]            code;
    always_ff @(posedge clk_i) begin
      if (load_i && load_node == '0 && load_beat_i == BeatBits'(p / Rows)) roots[load_bank] <= load_data_i[(p%Rows)*AccBits +: AccBits];
    end
    assign root    = roots[BankBits'(info.bank)];
    assign least   = {root[AccBits-1], root[AccBits-1:1]};
    assign mask    = ~({TreeLevels{1'b1}} << info.levels);
    assign pattern = root[0] ? mask ^ count_q[TreeLevels][p] : count_q[TreeLevels][p];
    assign code    = info.twice ? {8'(pattern), 1'b0} : 9'(pattern);
    always_ff @(posedge clk_i) begin
      values_o[p*AccBits +: AccBits] <= (info.levels == '0 || info.lookup || info.scale) ? sums_q[TreeLevels][p*AccBits +: AccBits] + root : AccBits'(code) + least;
    end
  end
  always_ff @(posedge clk_i) begin
    result_o <= info;
    if (!rst_ni) valid_o <= 1'b0;
    else         valid_o <= valid_q[TreeLevels];
  end
  logic unused_address;
  assign unused_address = ^{load_addr_i, clk_i};
endmodule
