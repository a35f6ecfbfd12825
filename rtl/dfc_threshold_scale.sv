// One lane of thresholds by a product: code = clip((factor * acc + offset) >> Shift), after OutBits cycles, one a cycle.
// Three stages are a product, a sum and a clip. Codes of more bits leave more to the product: its operands are registered, and what
// is made of pieces (multipliers of 18, 25 or 27 by 18 bits: styles 7, 8 and 9; 5: the tool's) is registered piece by piece and joined in two
// steps. Shifts and adds (style 6) are a tree with as many registers as there are stages (dfc_product_digits).
// The offset is looked for OffsetAt cycles after the accumulator has come.
module dfc_threshold_scale #(
  parameter int unsigned AccBits    = 8,
  parameter int unsigned AccSigned  = 1,
  parameter int unsigned FactorBits = 4,
  parameter int unsigned OffsetBits = 8,
  parameter int unsigned Shift      = 0,
  parameter int unsigned OutBits    = 3,
  parameter int unsigned OutSigned  = 0,
  parameter int unsigned Style      = 5,
  parameter int unsigned OffsetAt   = 1
) (
  input  logic                  clk_i,
  input  logic [AccBits-1:0]    acc_i,
  input  logic [FactorBits-1:0] factor_i,
  input  logic [OffsetBits-1:0] offset_i,  // OffsetAt cycles later
  output logic [OutBits-1:0]    code_o
);
  localparam int unsigned ABits       = AccBits + 1;
  localparam int unsigned ProductBits = ABits + FactorBits;
  localparam int unsigned SumBits     = ((ProductBits > OffsetBits) ? ProductBits : OffsetBits) + 1;

  if (OutBits < 3 || FactorBits < 1 || Shift >= SumBits || OffsetAt < 1 || OffsetAt > OutBits - 2) begin : gen_check
    $fatal(1, "dfc_threshold_scale: a product takes three stages, a multiplier and a shift within the sum");
  end

  logic signed [ABits-1:0]       acc;
  logic signed [FactorBits-1:0]  factor;
  logic signed [ProductBits-1:0] product;
  assign acc    = (AccSigned != 0) ? ABits'(signed'(acc_i)) : {1'b0, acc_i};
  assign factor = factor_i;

  if (Style == 6) begin : gen_shift_add
    dfc_product_digits #(.ABits(ABits), .FBits(FactorBits), .Stages(OffsetAt)) u_product (
      .clk_i, .a_i(acc), .f_i(factor), .product_o(product)
    );
  end else begin : gen_multiply
    localparam int unsigned Wide   = (Style == 9) ? 27 : (Style == 8) ? 25 : (Style == 7) ? 18 : 2 * ProductBits;
    localparam int unsigned Narrow = (Style == 5) ? 2 * ProductBits : 18;
    localparam int unsigned APiece = (ABits >= FactorBits) ? Wide : Narrow;
    localparam int unsigned FPiece = (ABits >= FactorBits) ? Narrow : Wide;
    localparam int unsigned As     = (ABits <= APiece) ? 1 : 1 + (ABits - 2) / (APiece - 1);
    localparam int unsigned Fs     = (FactorBits <= FPiece) ? 1 : 1 + (FactorBits - 2) / (FPiece - 1);
    localparam bit Parts    = As * Fs > 1 && OutBits >= 4;  // registers behind the multipliers of pieces
    localparam bit Operands = OutBits >= ((As * Fs > 1) ? 5 : 4);
    localparam bit Rows     = As > 1 && Fs > 1 && OutBits >= 6;  // between the two steps that join them

    if (OffsetAt != 1 + 32'(Parts) + 32'(Operands) + 32'(Rows)) begin : gen_check_offset
      $fatal(1, "dfc_threshold_scale: the product has another latency");
    end

    logic signed [ABits-1:0]      acc_d;
    logic signed [FactorBits-1:0] factor_d;
    if (Operands) begin : gen_operands
      always_ff @(posedge clk_i) {acc_d, factor_d} <= {acc, factor};
    end else begin : gen_operands
      assign {acc_d, factor_d} = {acc, factor};
    end

    localparam int unsigned AWide   = (As > 1) ? APiece : ABits;
    localparam int unsigned FWide   = (Fs > 1) ? FPiece : FactorBits;
    localparam int unsigned RowBits = ABits + FWide;
    logic signed [ProductBits-1:0] joined;
    logic signed [Fs-1:0][RowBits-1:0] row;  // of a piece of the factor
    for (genvar f = 0; f < int'(Fs); f++) begin : gen_row
      logic signed [FWide-1:0] by;
      if (f < int'(Fs) - 1) begin : gen_low
        assign by = {1'b0, factor_d[f*(FPiece-1) +: FWide-1]};
      end else begin : gen_top
        assign by = FWide'(factor_d >>> (f * (FPiece - 1)));
      end
      logic signed [As-1:0][AWide+FWide-1:0] part;
      for (genvar a = 0; a < int'(As); a++) begin : gen_part
        logic signed [AWide-1:0] of;
        logic signed [AWide+FWide-1:0] made;
        if (a < int'(As) - 1) begin : gen_low
          assign of = {1'b0, acc_d[a*(APiece-1) +: AWide-1]};
        end else begin : gen_top
          assign of = AWide'(acc_d >>> (a * (APiece - 1)));
        end
        assign made = of * by;
        if (Parts) begin : gen_register
          (* use_dsp = "yes" *) logic signed [AWide+FWide-1:0] made_q;
          always_ff @(posedge clk_i) made_q <= made;
          assign part[a] = made_q;
        end else begin : gen_wire
          assign part[a] = made;
        end
      end
      logic signed [RowBits-1:0] sum;
      always_comb begin
        sum = '0;
        for (int unsigned a = 0; a < As; a++) sum += RowBits'(signed'(part[a])) <<< (a * (APiece - 1));
      end
      if (Rows) begin : gen_register
        logic signed [RowBits-1:0] sum_q;
        always_ff @(posedge clk_i) sum_q <= sum;
        assign row[f] = sum_q;
      end else begin : gen_wire
        assign row[f] = sum;
      end
    end
    always_comb begin
      joined = '0;
      for (int unsigned f = 0; f < Fs; f++) joined += ProductBits'(signed'(row[f])) <<< (f * (FPiece - 1));
    end
    (* use_dsp = "yes" *) logic signed [ProductBits-1:0] product_q;
    always_ff @(posedge clk_i) product_q <= joined;
    assign product = product_q;
  end

  // The sum, the clip, and codes that have more stages than these.
  logic signed [SumBits-1:0] sum_q, steps;
  logic [OutBits-1:0] code_d;
  logic [OutBits-1:OffsetAt+1][OutBits-1:0] code_q;
  always_ff @(posedge clk_i) sum_q <= SumBits'(product) + SumBits'(signed'(offset_i));
  assign steps  = sum_q >>> Shift;
  assign code_d = (steps < 0) ? '0 : (|(steps >> OutBits)) ? '1 : OutBits'(steps);
  always_ff @(posedge clk_i) begin
    code_q[OffsetAt+1] <= code_d ^ (OutBits'(OutSigned) << (OutBits - 1));
    for (int unsigned j = OffsetAt + 2; j < OutBits; j++) code_q[j] <= code_q[j-1];
  end
  assign code_o = code_q[OutBits-1];
endmodule
