// Requantization of one row of the loopback engine: clip((factor * sum + offset) >> shift, 0, 2**(bits + 1) - 1).
// One result a cycle. The sum and the lower offset come a cycle after the factor, the upper offset two, shift and bits four; then the code.
module dfc_lb_scale #(
  parameter int unsigned AccBits   = 32,
  parameter int unsigned ScaleBits = 24,
  localparam int unsigned SumBits  = AccBits < 35 ? AccBits : 35
) (
  input  logic                 clk_i,
  input  logic [ScaleBits-1:0] factor_i,
  input  logic [SumBits-1:0]   sum_i,
  input  logic [AccBits-1:0]   low_i,
  input  logic [AccBits-1:0]   high_i,
  input  logic [5:0]           shift_i,
  input  logic [3:0]           bits_i,  // of the code, less one
  output logic [15:0]          code_o
);
  localparam int unsigned Bits = SumBits + ScaleBits;
  localparam int unsigned Low  = 17;  // of a sum: a DSP slice multiplies them as a signed number

  if (ScaleBits < 1 || ScaleBits > 48 || ScaleBits > AccBits) begin : gen_check
    $fatal(1, "dfc_lb_scale: ScaleBits must be 1 to 48, and at most AccBits");
  end

  logic signed [Low:0]           sum_low;
  logic signed [SumBits-Low-1:0] sum_high;
  logic signed [ScaleBits-1:0] factor_q;
  logic        [AccBits-1:0]   low_q;
  (* use_dsp = "yes" *) logic signed [ScaleBits+Low:0] part_low_q;
  (* use_dsp = "yes" *) logic signed [Bits-Low-1:0]    part_high_q;
  logic signed [Bits-1:0]      product_q, offset_q, total_q, steps;
  logic        [15:0]          top;
  assign sum_low  = {1'b0, sum_i[Low-1:0]};
  assign sum_high = sum_i[SumBits-1:Low];
  always_ff @(posedge clk_i) begin
    factor_q    <= factor_i;
    low_q       <= low_i;
    part_low_q  <= sum_low * factor_q;
    part_high_q <= sum_high * factor_q;
    product_q   <= Bits'(part_low_q) + {part_high_q, Low'(0)};
    offset_q    <= Bits'({high_i, low_q});
    total_q     <= product_q + offset_q;
  end
  assign steps  = total_q >>> shift_i;
  assign top    = ~(16'hfffe << bits_i);
  assign code_o = steps[Bits-1] ? '0 : (|(steps & ~Bits'(top))) ? top : steps[15:0];
endmodule
