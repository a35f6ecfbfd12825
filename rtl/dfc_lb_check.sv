// Checks a descriptor of the loopback engine before it is queued; error_o is 0 when it may run. Combinational.
`include "dfc_lb_descriptor.svh"
module dfc_lb_check #(
  parameter int unsigned Pe          = 4,
  parameter int unsigned Simd        = 16,
  parameter int unsigned ActWords    = 1024,
  parameter int unsigned WeightWords = 64,
  parameter int unsigned TreeLevels  = 4,
  parameter int unsigned TreeBanks   = 2,
  parameter int unsigned WeightBits  = 8,
  parameter int unsigned AccBits     = 32,
  parameter int unsigned ScaleBits   = 0,
  parameter int unsigned RootBits    = 0,
  parameter int unsigned ListWords   = 0,
  parameter int unsigned CodeBits    = 0,
  parameter int unsigned ActBits     = 8,
  parameter int unsigned BusBits     = 64
) (
  input  dfc_lb_compute_t  compute_i,
  input  dfc_lb_transfer_t transfer_i,  // the same bits
  output logic [3:0]       error_o
);
  localparam int unsigned BusBytes   = BusBits / 8;
  localparam int unsigned Words      = Pe > Simd ? Pe / Simd : 1;
  localparam int unsigned Lanes      = Pe < Simd ? Pe : Simd;
  localparam int unsigned TableBeats = 128 / BusBits;
  localparam int unsigned CountBits  = 36;  // of the bus words of as many words as a descriptor may say

  // A block: whole words, inside its memory.
  logic [24:0]          size;
  logic [CountBits-1:0] beats;  // bus words of its words
  logic [CountBits-1:0] numbers [4];  // of words of weights, by `coded`
  logic                 coded;
  logic                 block_bad;
  assign coded      = transfer_i.coded != '0;
  assign numbers[0] = CountBits'(transfer_i.words) * CountBits'(Pe * Simd * WeightBits / BusBits);
  for (genvar c = 1; c < 4; c++) begin : gen_numbers
    assign numbers[c] = CountBits'(transfer_i.words) * CountBits'((Pe * Simd << (c - 1)) / BusBits) + CountBits'(TableBeats);
  end
  always_comb begin
    unique case (transfer_i.target)
      2'(`DFC_LB_TARGET_WEIGHT): {size, beats} = {25'(WeightWords), numbers[transfer_i.coded]};
      2'(`DFC_LB_TARGET_TREE): {size, beats} = {25'(TreeBanks << TreeLevels), CountBits'(transfer_i.words) * CountBits'(Pe * AccBits / BusBits)};
      2'(`DFC_LB_TARGET_LIST): {size, beats} = {25'(ListWords), CountBits'(transfer_i.words)};
      default: {size, beats} = {25'(ActWords), CountBits'(transfer_i.words) * CountBits'(ActBits * Simd / BusBits)};
    endcase
  end
  // Numbers of levels: of weights, as wide as the engine reads, in whole bus words for each word.
  logic [3:0] whole;  // by `coded`: its words are whole bus words
  logic       coded_bad;
  assign whole = {4 * Pe * Simd % BusBits == 0, 2 * Pe * Simd % BusBits == 0, Pe * Simd % BusBits == 0, 1'b1};
  assign coded_bad = coded && (transfer_i.opcode != 4'(`DFC_LB_OPCODE_LOAD) || transfer_i.target != 2'(`DFC_LB_TARGET_WEIGHT)
      || (32'd1 << (transfer_i.coded - 2'd1)) > CodeBits || !whole[transfer_i.coded]);
  assign block_bad = transfer_i.words == '0 || CountBits'(transfer_i.beats) != beats || coded_bad
      || (transfer_i.address & 32'(BusBytes - 1)) != '0 || 25'(transfer_i.inner) + 25'(transfer_i.words) > size;

  // Only sums are kept in parts; a product has two factors of one tap, everything else one value a tap.
  logic [1:0] factors;  // beyond the first
  logic       join_bad, alone;
  assign factors  = 2'(compute_i.passes >= 2'd1 && !compute_i.shift_1) + 2'(compute_i.passes >= 2'd2 && !compute_i.shift_2)
      + 2'(compute_i.passes == 2'd3 && !compute_i.shift_3);
  assign alone    = compute_i.kernel_h == 8'd1 && compute_i.kernel_w == 8'd1;
  always_comb begin
    unique case (compute_i.op)
      3'(`DFC_LB_ACC_OP_ADD): join_bad = 1'b0;
      3'(`DFC_LB_ACC_OP_MUL): join_bad = compute_i.acc_load || compute_i.acc_store || factors != 2'd1 || !alone;
      default:                join_bad = compute_i.acc_load || compute_i.acc_store || factors != '0 || compute_i.op > 3'(`DFC_LB_ACC_OP_MUL);
    endcase
  end

  logic lane_bad, root_bad, loop_bad, tree_bad, level_bad, scale_bad, weight_bad, result_bad;
  assign loop_bad   = compute_i.batch == '0 || compute_i.height == '0 || compute_i.width_out == '0 || compute_i.kernel_h == '0
      || compute_i.kernel_w == '0 || compute_i.words == '0;
  assign tree_bad   = 32'(compute_i.bank) >= TreeBanks || (compute_i.scale ? scale_bad : level_bad);
  assign level_bad  = 32'(compute_i.levels) > TreeLevels
      || (compute_i.lookup && (compute_i.levels == '0 || 32'(compute_i.levels) == TreeLevels));
  assign scale_bad  = ScaleBits == 0 || compute_i.lookup || 32'(compute_i.scale_shift) >= (AccBits < 35 ? AccBits : 35) + ScaleBits;
  assign weight_bad = (32'd1 << compute_i.width) > WeightBits || 32'(compute_i.weight) >= WeightWords
      || (compute_i.listed && (compute_i.op != 3'(`DFC_LB_ACC_OP_ADD) || 32'(compute_i.tap_h) + 32'd1 > ListWords));
  // The root of a sum that is written.
  assign root_bad   = compute_i.root && (compute_i.op != 3'(`DFC_LB_ACC_OP_ADD) || compute_i.levels != '0 || compute_i.scale || compute_i.lookup
      || compute_i.acc_store || compute_i.start_1 == '0 || 32'(compute_i.start_1) >= AccBits || 32'(compute_i.start_2) + 32'd1 > RootBits);
  assign result_bad = join_bad || root_bad || 32'(compute_i.planes) >= AccBits / ActBits || compute_i.writes == '0 || 32'(compute_i.writes) > Words
      || lane_bad;
  logic [Simd/Lanes-1:0] lanes;
  for (genvar k = 0; k < int'(Simd / Lanes); k++) begin : gen_lane
    assign lanes[k] = 32'(compute_i.lane) == k * Lanes;
  end
  assign lane_bad = lanes == '0;

  always_comb begin
    error_o = 4'(`DFC_LB_ERROR_CODE_NONE);
    unique case (transfer_i.opcode)
      4'(`DFC_LB_OPCODE_FINISH): error_o = 4'(`DFC_LB_ERROR_CODE_NONE);
      4'(`DFC_LB_OPCODE_LOAD): if (block_bad) error_o = 4'(`DFC_LB_ERROR_CODE_TRANSFER);
      4'(`DFC_LB_OPCODE_STORE): if (block_bad || transfer_i.target != 2'(`DFC_LB_TARGET_ACT)) error_o = 4'(`DFC_LB_ERROR_CODE_TRANSFER);
      4'(`DFC_LB_OPCODE_COMPUTE): begin
        if (loop_bad)        error_o = 4'(`DFC_LB_ERROR_CODE_LOOP);
        else if (tree_bad)   error_o = 4'(`DFC_LB_ERROR_CODE_TREE);
        else if (weight_bad) error_o = 4'(`DFC_LB_ERROR_CODE_WEIGHT);
        else if (result_bad) error_o = 4'(`DFC_LB_ERROR_CODE_RESULT);
      end
      default: error_o = 4'(`DFC_LB_ERROR_CODE_OPCODE);
    endcase
  end
  logic unused_fields;
  assign unused_fields = ^{compute_i, transfer_i};
endmodule
