// Compute array of the loopback engine: Pe dot products of Simd codes and weights a cycle, joined to sums, maxima or minima.
// Inputs one cycle after the step (the memories' latency); a sum is valid 4 + $clog2(Simd) cycles after its last step.
`include "dfc_lb_descriptor.svh"
`include "dfc_lb_types.svh"
module dfc_lb_array #(
  parameter int unsigned Pe         = 4,
  parameter int unsigned Simd       = 16,
  parameter int unsigned WeightBits = 8,
  parameter int unsigned AccWords   = 16,
  parameter int unsigned AccBits    = 32,
  localparam int unsigned Lanes     = Pe * Simd
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        step_i,     // in the cycle of the memories' data
  input  dfc_lb_step_t                info_i,
  input  logic [8*Simd-1:0]           codes_i,
  input  logic [Lanes*WeightBits-1:0] weights_i,  // one cycle later
  output logic                        valid_o,
  output logic [Pe*AccBits-1:0]       sums_o
);
  localparam int unsigned Levels   = $clog2(Simd);
  localparam int unsigned Product  = 8 + WeightBits;
  localparam int unsigned SumBits  = Product + Levels;
  localparam int unsigned AddrBits = AccWords > 1 ? $clog2(AccWords) : 1;

  // Stage 1: codes with the pad code where the window leaves the picture. Stage 2: products. Then the adder trees.
  logic [8*Simd-1:0] codes_q;
  always_ff @(posedge clk_i) codes_q <= info_i.present ? codes_i : {Simd{info_i.pad}};

  logic [Lanes-1:0][Product-1:0] products_q;
  logic [Pe-1:0][SumBits-1:0]    dots;
  for (genvar p = 0; p < int'(Pe); p++) begin : gen_row
    for (genvar s = 0; s < int'(Simd); s++) begin : gen_lane
      logic signed [7:0]            x;
      logic signed [WeightBits-1:0] w;
      assign x = codes_q[8*s +: 8];
      assign w = weights_i[(p*Simd+s)*WeightBits +: WeightBits];
      if (WeightBits == 8) begin : gen_dsp
        always_ff @(posedge clk_i) products_q[p*Simd+s] <= Product'(x) * Product'(w);
      end else begin : gen_lut
        // Weight bit by weight bit, the sign bit subtracted: no tool sees a product to put into a DSP slice.
        logic signed [WeightBits-1:0][Product-1:0] part;
        logic signed [Product-1:0] sum;
        for (genvar b = 0; b < int'(WeightBits); b++) begin : gen_bit
          assign part[b] = w[b] ? Product'(x) << b : '0;
        end
        always_comb begin
          sum = -part[WeightBits-1];
          for (int unsigned b = 0; b < WeightBits - 1; b++) sum = sum + part[b];
        end
        always_ff @(posedge clk_i) products_q[p*Simd+s] <= sum;
      end
    end
    dfc_adder_tree #(.Terms(Simd), .Bits(Product), .Signed(1), .SumBits(SumBits)) u_tree (
      .clk_i, .terms_i(products_q[p*Simd +: Simd]), .sum_o(dots[p])
    );
  end

  // The step's information, as late as its dot products.
  dfc_lb_step_t [Levels+1:0] info_q;
  logic         [Levels+1:0] step_q;
  always_ff @(posedge clk_i) begin
    info_q <= {info_q[Levels:0], info_i};
    if (!rst_ni) step_q <= '0;
    else         step_q <= {step_q[Levels:0], step_i};
  end
  dfc_lb_step_t info;
  logic         step;
  assign info = info_q[Levels+1];
  assign step = step_q[Levels+1];

  // Partial sums: read one cycle ahead, with the word that is being written.
  logic                  store, passed_q;
  logic [AddrBits-1:0]   ahead;
  logic [Pe*AccBits-1:0] stored, kept_q;
  logic [Pe*AccBits-1:0] acc_d, acc_q;
  assign store = step && info.last && info.acc_store;
  assign ahead = AddrBits'(info_q[Levels].acc_word);
  dfc_ram #(.Width(Pe * AccBits), .Depth(AccWords)) u_acc (
    .clk_i, .wr_en_i(store), .wr_addr_i(AddrBits'(info.acc_word)), .wr_data_i(acc_d),
    .rd_en_i(1'b1), .rd_addr_i(ahead), .rd_data_o(stored)
  );
  always_ff @(posedge clk_i) begin
    passed_q <= store && AddrBits'(info.acc_word) == ahead;
    kept_q   <= acc_d;
  end

  for (genvar p = 0; p < int'(Pe); p++) begin : gen_acc
    logic signed [AccBits-1:0] dot, start, so_far, own;
    assign dot    = AccBits'(signed'(dots[p]));
    assign own    = passed_q ? kept_q[p*AccBits +: AccBits] : stored[p*AccBits +: AccBits];
    assign start  = info.acc_load ? own : '0;
    assign so_far = info.first ? start : (info.shift ? acc_q[p*AccBits +: AccBits] << 8 : acc_q[p*AccBits +: AccBits]);
    always_comb begin
      unique case (info.op)
        2'(`DFC_LB_ACC_OP_MAX): acc_d[p*AccBits +: AccBits] = (info.first || dot > so_far) ? dot : so_far;
        2'(`DFC_LB_ACC_OP_MIN): acc_d[p*AccBits +: AccBits] = (info.first || dot < so_far) ? dot : so_far;
        default:                acc_d[p*AccBits +: AccBits] = so_far + dot;
      endcase
    end
  end
  always_ff @(posedge clk_i) begin
    if (step) acc_q <= acc_d;
    if (!rst_ni) valid_o <= 1'b0;
    else         valid_o <= step && info.last;
  end
  assign sums_o = acc_q;
  logic unused_info;
  assign unused_info = ^{info.present, info.pad, info.width, info.part, info.acc_word, info_q[Levels]};
endmodule
