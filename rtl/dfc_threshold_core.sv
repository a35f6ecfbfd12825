// Counts thresholds by binary search: code = #{k : acc >= T_k}, complemented for falling lanes, offset for signed codes.
// Latency OutBits cycles, one beat of Lanes accumulators a cycle; never stalls.
// The file holds each lane's search tree in heap order (node 0: the flip bit), each node once for every fold, padded to a
// power of two: entry (lane * 2**OutBits + node) * 2**FoldBits + fold. Folds come in turn.
// Styles from 5 on: code = clip((multiplier * acc + offset) >> Shift), see dfc_threshold_scale; an entry for each lane and fold, the
// offset above the multiplier, both signed.
module dfc_threshold_core #(
  parameter              File       = "",
  parameter int unsigned Lanes      = 1,
  parameter int unsigned Folds      = 1,
  parameter int unsigned Shared     = 0,  // one row of one lane serves all folds and lanes
  parameter int unsigned AccBits    = 8,
  parameter int unsigned AccSigned  = 1,
  parameter int unsigned ThreshBits = 8,  // of an entry
  parameter int unsigned FactorBits = 0,  // of the multiplier in it
  parameter int unsigned Shift      = 0,
  parameter int unsigned OutBits    = 2,
  parameter int unsigned OutSigned  = 0,
  parameter int unsigned Flip       = 0,
  parameter int unsigned Style      = 0   // 0: LUTs up to 1023 entries a stage and lane, then block RAM; 3: up to 127; from 5 on: products instead
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic                     valid_i,
  input  logic [Lanes*AccBits-1:0] acc_i,
  output logic                     valid_o,
  output logic [Lanes*OutBits-1:0] codes_o
);
  localparam int unsigned Rows      = (Shared != 0) ? 1 : Folds;
  localparam int unsigned FoldBits  = (Rows > 1) ? $clog2(Rows) : 1;
  localparam int unsigned RowDepth  = 1 << $clog2(Rows);
  localparam int unsigned FileDepth = (((Shared != 0) ? 1 : Lanes) << ((Style >= 5) ? 0 : OutBits)) * RowDepth;
  localparam int unsigned NoFold    = (Rows > 1) ? 0 : FoldBits;  // bits of an address that are none
  localparam int unsigned Joined    = 16;  // words; as in thresholding.py
  localparam int unsigned CmpBits   = (AccBits > ThreshBits) ? AccBits : ThreshBits;

  if (Lanes < 1 || Folds < 1 || OutBits < 1) begin : gen_check
    $fatal(1, "dfc_threshold_core: Lanes, Folds and OutBits must be at least 1");
  end

  logic [OutBits:0]               valid;  // [j]: a beat is in stage j
  logic [OutBits:0][FoldBits-1:0] fold;
  logic [FoldBits-1:0]            fold_ahead;
  logic                           read_ahead;

  assign valid[0] = valid_i;
  assign valid_o  = valid[OutBits];

  // What the first stage compares with is read a beat ahead, and for the first beat in the cycle after reset.
  if (Rows > 1) begin : gen_fold
    logic [FoldBits-1:0] ahead_q;
    logic primed_q, last;
    assign read_ahead = valid_i || !primed_q;
    assign fold_ahead = ahead_q;
    always_ff @(posedge clk_i) begin
      primed_q <= rst_ni;
      if (read_ahead) fold[0] <= ahead_q;
    end
    dfc_counter #(.Count(Rows)) u_ahead (.clk_i, .rst_ni, .step_i(read_ahead), .value_o(ahead_q), .last_o(last));
    logic unused;
    assign unused = last;
    always_ff @(posedge clk_i) fold[OutBits:1] <= fold[OutBits-1:0];
  end else begin : gen_no_fold
    assign read_ahead = 1'b1;
    assign fold_ahead = '0;
    assign fold       = '0;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid[OutBits:1] <= '0;
    else         valid[OutBits:1] <= valid[OutBits-1:0];
  end

  if (Style >= 5) begin : gen_scale
    // Words are two memories: a word's offset is read when its product has been found.
    localparam int unsigned OffsetBits = ThreshBits - FactorBits;
    localparam int unsigned Wide       = (Style == 9) ? 27 : (Style == 8) ? 25 : 18;
    localparam int unsigned Larger     = (AccBits + 1 > FactorBits) ? AccBits + 1 : FactorBits;
    localparam int unsigned Smaller    = (AccBits + 1 > FactorBits) ? FactorBits : AccBits + 1;
    localparam int unsigned Split      = (Style <= 6) ? 0 : ((Larger > Wide) ? 1 : 0) + ((Smaller > 18) ? 1 : 0);
    localparam int unsigned Most       = (Style == 6) ? 1 + $clog2((FactorBits + 1) / 2) : 2 + Split;  // stages that a product can use
    localparam int unsigned OffsetAt   = (Most < OutBits - 2) ? Most : OutBits - 2;
    if (OutBits < 3 || FactorBits < 1 || FactorBits >= ThreshBits) begin : gen_check
      $fatal(1, "dfc_threshold_core: a product takes three stages, a multiplier and an offset");
    end

    for (genvar l = 0; l < int'(Lanes); l++) begin : gen_lane
      logic [ThreshBits-1:0] word, offset_word;
      dfc_rom #(
        .File(File), .FileDepth(FileDepth), .Width(ThreshBits), .Base(((Shared != 0) ? 0 : l) * RowDepth), .Depth(RowDepth),
        .Style((RowDepth >= 1024) ? 3 : 1)
      ) u_factors (.clk_i, .en_i(read_ahead), .addr_i(fold_ahead), .data_o(word));
      dfc_rom #(
        .File(File), .FileDepth(FileDepth), .Width(ThreshBits), .Base(((Shared != 0) ? 0 : l) * RowDepth), .Depth(RowDepth),
        .Style((RowDepth >= 1024) ? 3 : 1)
      ) u_offsets (.clk_i, .en_i(1'b1), .addr_i(fold[OffsetAt-1]), .data_o(offset_word));
      dfc_threshold_scale #(
        .AccBits(AccBits), .AccSigned(AccSigned), .FactorBits(FactorBits), .OffsetBits(OffsetBits), .Shift(Shift), .OutBits(OutBits),
        .OutSigned(OutSigned), .Style(Style), .OffsetAt(OffsetAt)
      ) u_scale (
        .clk_i, .acc_i(acc_i[l*AccBits +: AccBits]), .factor_i(word[FactorBits-1:0]), .offset_i(offset_word[ThreshBits-1:FactorBits]),
        .code_o(codes_o[l*OutBits +: OutBits])
      );
      logic unused_word;
      assign unused_word = ^{word, offset_word};
    end
    logic unused_search;
    assign unused_search = ^{fold, Flip != 0, CmpBits};
  end else begin : gen_search
    for (genvar l = 0; l < int'(Lanes); l++) begin : gen_lane
      localparam int unsigned Base = (((Shared != 0) ? 0 : l) << OutBits) * RowDepth;
      logic [OutBits:0][AccBits-1:0] acc;  // the accumulator on its way through the stages
      logic [OutBits-1:0] count_q;
      logic flip;

      assign acc[0] = acc_i[l*AccBits +: AccBits];
      always_ff @(posedge clk_i) acc[OutBits:1] <= acc[OutBits-1:0];

      for (genvar j = 0; j < int'(OutBits); j++) begin : gen_stage
        localparam int unsigned Depth = RowDepth << j;
        localparam int unsigned AddrBits = (Depth > 1) ? $clog2(Depth) : 1;
        logic [ThreshBits-1:0] threshold;
        logic [CmpBits-1:0] lhs, rhs;
        logic [AddrBits-1:0] addr;
        logic [j:0] found;  // the code's leading bits, this stage's lowest
        logic [OutBits-1:0] leading;  // those before it

        localparam int unsigned Kind = (Style == 0 || Style == 3) ? ((Depth >= ((Style == 3) ? 128 : 1024)) ? 3 : 1) : Style;
        if (j > 0 && Kind == 1 && Depth >= 128) begin : gen_late  // the comparison has no time for a memory of many LUTs behind it
          dfc_rom_late #(
            .File(File), .FileDepth(FileDepth), .Width(ThreshBits), .Base(Base + Depth), .Depth(Depth), .LateBit((Rows > 1) ? FoldBits : 0)
          ) u_thresholds (.clk_i, .addr_i(addr), .late_i(gen_stage[j-1].found[0]), .data_o(threshold));
        end else if (j > 1 && Kind == 3 && Depth >= 1024) begin : gen_early  // nor for a block RAM on either side of it
          logic [AddrBits-1:0] early;
          assign early = AddrBits'({gen_stage[j-2].found, 1'b0, fold[j-2]} >> NoFold);
          dfc_rom_early #(
            .File(File), .FileDepth(FileDepth), .Width(ThreshBits), .Base(Base + Depth), .Depth(Depth), .LateBit((Rows > 1) ? FoldBits : 0)
          ) u_thresholds (.clk_i, .addr_i(early), .late_i(gen_stage[j-1].found[0]), .data_o(threshold));
          logic unused_addr;
          assign unused_addr = ^addr;
        end else if (Kind == 1 && Depth <= Joined) begin : gen_joined  // LUTs with no register between them and the comparison
          dfc_rom #(
            .File(File), .FileDepth(FileDepth), .Width(ThreshBits), .Base(Base + Depth), .Depth(Depth), .Style(1), .Registered(0)
          ) u_thresholds (.clk_i, .en_i(1'b1), .addr_i(AddrBits'({leading, fold[j]} >> NoFold)), .data_o(threshold));
          logic unused_addr;
          assign unused_addr = ^addr;
        end else begin : gen_memory
          dfc_rom #(.File(File), .FileDepth(FileDepth), .Width(ThreshBits), .Base(Base + Depth), .Depth(Depth), .Style(Kind)) u_thresholds (
            .clk_i, .en_i(j > 0 || read_ahead), .addr_i(addr), .data_o(threshold)
          );
        end

        // Comparing two's-complement numbers is comparing them unsigned with inverted sign bits.
        if (AccSigned != 0) begin : gen_signed
          assign lhs = CmpBits'(signed'(acc[j])) ^ (CmpBits'(1) << (CmpBits - 1));
          assign rhs = CmpBits'(signed'(threshold)) ^ (CmpBits'(1) << (CmpBits - 1));
        end else begin : gen_unsigned
          assign lhs = CmpBits'(acc[j]);
          assign rhs = CmpBits'(threshold);
        end
        assign found[0] = lhs >= rhs;

        if (j == 0) begin : gen_first
          assign addr    = AddrBits'(fold_ahead);
          assign leading = '0;
        end else begin : gen_next
          logic [j-1:0] leading_q;
          always_ff @(posedge clk_i) leading_q <= gen_stage[j-1].found;
          assign found[j:1] = leading_q;
          assign addr    = AddrBits'({gen_stage[j-1].found, fold[j-1]} >> NoFold);
          assign leading = OutBits'(leading_q);
        end
        logic unused_leading;
        assign unused_leading = ^leading;
      end
      always_ff @(posedge clk_i) count_q <= gen_stage[OutBits-1].found;

      if (Flip != 0) begin : gen_flip
        logic [ThreshBits-1:0] entry;
        dfc_rom #(
          .File(File), .FileDepth(FileDepth), .Width(ThreshBits), .Base(Base), .Depth(RowDepth), .Style(1)
        ) u_flip (.clk_i, .en_i(1'b1), .addr_i(fold[OutBits-1]), .data_o(entry));
        assign flip = entry[0];
        logic unused_bits;
        assign unused_bits = ^entry;
      end else begin : gen_no_flip
        assign flip = 1'b0;
      end
      assign codes_o[l*OutBits +: OutBits] = count_q ^ {OutBits{flip}} ^ (OutBits'(OutSigned) << (OutBits - 1));

      logic unused;
      assign unused = ^acc[OutBits];
    end
  end
  logic unused;
  assign unused = ^{fold[OutBits], fold_ahead, read_ahead};
endmodule
