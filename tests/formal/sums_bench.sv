// dfc_sums against products and sums written plainly: steps come in any cycle, with any operands, Steps of them a sum.
// With Start the highest bit is compared: of each of three folds in turn with what thresholds.mem holds as its node 1.
module sums_bench #(
  parameter int unsigned Pe = 1,
  parameter int unsigned Simd = 2,
  parameter int unsigned InBits = 2,
  parameter int unsigned InSigned = 0,
  parameter int unsigned InBipolar = 0,
  parameter int unsigned WeightBits = 2,
  parameter int unsigned WeightSigned = 1,
  parameter int unsigned Xnor = 0,
  parameter int unsigned Steps = 2,
  parameter int unsigned AccBits = 6,
  parameter int unsigned Arithmetic = 3,
  parameter int unsigned Start = 0,
  parameter logic [2:0][7:0] Thresholds = '0,  // signed, of the folds in turn; as in the file
  parameter int unsigned Latency = 2  // from operands to the sums' last adder
) (
  input logic                       clk_i,
  input logic                       reset_i,
  input logic                       step_i,
  input logic [Simd*InBits-1:0]     inputs_i,
  input logic [Pe*Simd*WeightBits-1:0] weights_i
);
  logic started_q = 1'b0, rst_n, last, valid;
  logic [7:0] count_q;
  logic [Pe-1:0][AccBits-1:0] sums;
  always_ff @(posedge clk_i) started_q <= 1'b1;
  assign rst_n = started_q && !reset_i;
  assign last  = count_q == 8'(Steps - 1);
  always_ff @(posedge clk_i) begin
    if (!rst_n)      count_q <= '0;
    else if (step_i) count_q <= last ? '0 : count_q + 1'b1;
  end
  // Holds in induction, too, which may start anywhere.
  always_ff @(posedge clk_i) if (rst_n) assert (count_q < 8'(Steps));

  dfc_sums #(
    .Pe(Pe), .Simd(Simd), .Terms(Steps * Simd), .Steps(Steps), .InBits(InBits), .InSigned(InSigned), .InBipolar(InBipolar),
    .WeightBits(WeightBits), .WeightSigned(WeightSigned), .Xnor(Xnor), .AccBits(AccBits), .Arithmetic(Arithmetic),
    .Start(Start), .Folds(3), .ThreshBits(8), .ThreshSigned(1), .ThresholdsFile((Start != 0) ? "thresholds.mem" : "")
  ) dut (
    .clk_i, .rst_ni(rst_n), .step_i(step_i && rst_n), .last_i(last), .inputs_i, .weights_i, .sums_o(sums), .valid_o(valid)
  );

  // Step s happens, its operands follow; after Latency more cycles they are added to the sum.
  logic [Latency:0] step_q, first_q, last_q;
  always_ff @(posedge clk_i) begin
    step_q  <= rst_n ? (Latency + 1)'({step_q, step_i}) : '0;
    first_q <= (Latency + 1)'({first_q, count_q == '0});
    last_q  <= rst_n ? (Latency + 1)'({last_q, step_i && last}) : '0;
  end
  logic valid_q;
  always_ff @(posedge clk_i) valid_q <= rst_n && last_q[Latency];
  always_ff @(posedge clk_i) if (rst_n) assert (valid == valid_q);

  logic [1:0] fold_q;  // of the sum that is complete
  always_ff @(posedge clk_i) begin
    if (!rst_n)       fold_q <= '0;
    else if (valid_q) fold_q <= (fold_q == 2'd2) ? '0 : fold_q + 1'b1;
  end

  for (genvar p = 0; p < int'(Pe); p++) begin : gen_lane
    logic [Latency:0][AccBits-1:0] dot;
    logic [AccBits-1:0] sum_q;
    always_comb begin
      dot[0] = '0;
      for (int unsigned s = 0; s < Simd; s++) begin
        automatic logic [InBits-1:0] x = inputs_i[s*InBits +: InBits];
        automatic logic [WeightBits-1:0] w = weights_i[(p*Simd+s)*WeightBits +: WeightBits];
        automatic logic signed [31:0] a, b;
        if (Xnor != 0 && !w[0]) x = ~x;
        a = (InSigned != 0) ? 32'(signed'(x)) : 32'(x);
        if (InBipolar != 0) a = x[0] ? 32'sd1 : -32'sd1;
        b = (Xnor != 0) ? 32'sd1 : (WeightSigned != 0) ? 32'(signed'(w)) : 32'(w);
        dot[0] = AccBits'(32'(dot[0]) + a * b);
      end
    end
    for (genvar l = 0; l < int'(Latency); l++) begin : gen_wait
      always_ff @(posedge clk_i) dot[l+1] <= dot[l];
    end
    always_ff @(posedge clk_i) if (step_q[Latency]) sum_q <= dot[Latency] + (first_q[Latency] ? '0 : sum_q);
    if (Start != 0) begin : gen_start
      always_ff @(posedge clk_i) if (rst_n && valid_q) assert (sums[p][AccBits-1] == (32'(signed'(sum_q)) >= 32'(signed'(Thresholds[fold_q]))));
    end else begin : gen_sum
      always_ff @(posedge clk_i) if (rst_n && valid) assert (sums[p] == sum_q);
    end
  end
endmodule
