// Multiply-accumulate array of Pe lanes with thresholds and output buffer: sums Simd products a step, and the steps up to
// one with last_i, then counts thresholds or gives the sum itself. Never stalls between step and output buffer.
// Latency from a last step's cycle to its valid output: 2 + DotLatency + Accumulate + (thresholds: OutBits); one step a cycle.
module dfc_mac #(
  parameter int unsigned Pe              = 1,
  parameter int unsigned Simd            = 1,
  parameter int unsigned InputLanes      = 1,  // 1: all lanes work on the same inputs, Pe: each has its own
  parameter int unsigned Terms           = 4,  // products in a sum
  parameter int unsigned Folds           = 1,  // results of a lane come from this many channels in turn
  parameter int unsigned InBits          = 2,
  parameter int unsigned InSigned        = 0,
  parameter int unsigned InBipolar       = 0,
  parameter int unsigned WeightBits      = 2,
  parameter int unsigned WeightSigned    = 1,
  parameter int unsigned Xnor            = 0,
  parameter int unsigned AccBits         = 8,
  parameter int unsigned AccSigned       = 1,
  parameter int unsigned ThreshBits      = 8,  // 0: no thresholds
  parameter int unsigned ThreshFactorBits = 0,
  parameter int unsigned ThreshShift     = 0,
  parameter int unsigned ThreshShared    = 0,
  parameter int unsigned Flip            = 0,
  parameter int unsigned OutBits         = 2,
  parameter int unsigned OutSigned       = 0,
  parameter int unsigned Double          = 0,  // without thresholds: the output is 2 * sum - Terms
  parameter int unsigned Arithmetic      = 0,
  parameter int unsigned ThresholdsStyle = 0,
  parameter int unsigned Slots           = 2,
  parameter              ThresholdsFile  = ""
) (
  input  logic                               clk_i,
  input  logic                               rst_ni,
  output logic                               credit_o,  // a last step may happen
  input  logic                               step_i,    // a step happens; its operands follow in the next cycle
  input  logic                               last_i,
  input  logic [InputLanes*Simd*InBits-1:0]  inputs_i,
  input  logic [Pe*Simd*WeightBits-1:0]      weights_i,
  output logic [Pe*OutBits-1:0]              out_data_o,
  output logic                               out_valid_o,
  input  logic                               out_ready_i
);
  localparam int unsigned PlaneLimit  = 6;  // as in arithmetic.py
  localparam int unsigned XBits       = (InBipolar != 0) ? 2 : InBits;
  localparam bit Planar               = XBits * WeightBits <= PlaneLimit;
  localparam bit Gated                = Xnor != 0 || (InBits == 1 && InSigned == 0 && InBipolar == 0) || (WeightBits == 1 && WeightSigned == 0);
  localparam int unsigned PopLatency  = 1 + ((Simd > 3) ? 1 : 0) + $clog2((Simd + 8) / 9);
  localparam int unsigned TreeLatency = $clog2(Simd);
  localparam int unsigned DotLatency  = Planar ? PopLatency + $clog2(XBits * WeightBits)
                                      : !Gated ? 1 + TreeLatency : (Simd > 1) ? TreeLatency : 1;
  localparam bit Accumulate           = Terms != Simd;

  if (Pe < 1 || Terms < Simd || (InputLanes != 1 && InputLanes != Pe)) begin : gen_check
    $fatal(1, "dfc_mac: Pe must be at least 1, Simd at most Terms and InputLanes be 1 or Pe");
  end

  // A step and its last flag on their way to the dot products' results: [0] with the operands.
  logic [DotLatency:0] step_q, last_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      step_q <= '0;
      last_q <= '0;
    end else begin
      step_q <= (DotLatency + 1)'({step_q, step_i});
      last_q <= (DotLatency + 1)'({last_q, step_i && last_i});
    end
  end

  logic [Pe*AccBits-1:0] sum, acc;
  for (genvar p = 0; p < int'(Pe); p++) begin : gen_lane
    localparam int unsigned Source = (InputLanes == 1) ? 0 : p;
    dfc_dot #(
      .Simd(Simd), .InBits(InBits), .InSigned(InSigned), .InBipolar(InBipolar), .WeightBits(WeightBits), .WeightSigned(WeightSigned),
      .Xnor(Xnor), .Arithmetic(Arithmetic), .PlaneLimit(PlaneLimit), .SumBits(AccBits)
    ) u_dot (
      .clk_i, .inputs_i(inputs_i[Source*Simd*InBits +: Simd*InBits]), .weights_i(weights_i[p*Simd*WeightBits +: Simd*WeightBits]),
      .sum_o(sum[p*AccBits +: AccBits])
    );
    if (Accumulate) begin : gen_accumulate
      // Two registers: one restarts at 0 after a last step (its synchronous reset costs no logic), one keeps the result.
      logic [AccBits-1:0] partial_q, total_d, total_q;
      assign total_d = partial_q + sum[p*AccBits +: AccBits];
      always_ff @(posedge clk_i) begin
        if (!rst_ni || last_q[DotLatency]) partial_q <= '0;
        else if (step_q[DotLatency])       partial_q <= total_d;
      end
      always_ff @(posedge clk_i) total_q <= total_d;
      assign acc[p*AccBits +: AccBits] = total_q;
    end else begin : gen_sum
      assign acc[p*AccBits +: AccBits] = sum[p*AccBits +: AccBits];
    end
  end

  logic acc_valid;
  if (Accumulate) begin : gen_valid
    always_ff @(posedge clk_i) acc_valid <= rst_ni && last_q[DotLatency];
  end else begin : gen_valid
    assign acc_valid = last_q[DotLatency];
    logic unused;
    assign unused = ^step_q;
  end

  logic push;
  logic [Pe*OutBits-1:0] results;
  if (ThreshBits != 0) begin : gen_thresholds
    dfc_threshold_core #(
      .File(ThresholdsFile), .Lanes(Pe), .Folds(Folds), .Shared(ThreshShared), .AccBits(AccBits), .AccSigned(AccSigned),
      .ThreshBits(ThreshBits), .FactorBits(ThreshFactorBits), .Shift(ThreshShift), .OutBits(OutBits), .OutSigned(OutSigned),
      .Flip(Flip), .Style(ThresholdsStyle)
    ) u_thresholds (.clk_i, .rst_ni, .valid_i(acc_valid), .acc_i(acc), .valid_o(push), .codes_o(results));
  end else begin : gen_sums
    assign push = acc_valid;
    for (genvar p = 0; p < int'(Pe); p++) begin : gen_result
      logic [OutBits-1:0] extended;
      if (AccSigned != 0) begin : gen_signed
        assign extended = OutBits'(signed'(acc[p*AccBits +: AccBits]));
      end else begin : gen_unsigned
        assign extended = OutBits'(acc[p*AccBits +: AccBits]);
      end
      assign results[p*OutBits +: OutBits] = (Double != 0) ? (extended << 1) - OutBits'(Terms) : extended;
    end
    logic unused;
    assign unused = ^{Folds, ThreshFactorBits, ThreshShift, ThreshShared, Flip, OutSigned, ThresholdsStyle, ThresholdsFile == ""};
  end

  dfc_stream_out #(.Width(Pe * OutBits), .Slots(Slots)) u_out (
    .clk_i, .rst_ni, .issue_i(step_i && last_i), .credit_o, .push_i(push), .data_i(results), .out_data_o, .out_valid_o, .out_ready_i
  );
endmodule
