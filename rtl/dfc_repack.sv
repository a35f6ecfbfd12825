// Same elements with other lanes a beat; either side starts its lanes again after each run and pads the last beat of a run.
// Latency 2 from the beat that completes an output beat; interval max(beats in, beats out) cycles.
`include "dfc_assert.svh"
module dfc_repack #(
  parameter int unsigned Elements = 20,  // of a frame; only the C++ model needs it
  parameter int unsigned Bits = 8,
  parameter int unsigned InLanes = 3,
  parameter int unsigned InRun = 10,  // elements after which the lanes start again
  parameter int unsigned OutLanes = 4,
  parameter int unsigned OutRun = 10,
  parameter int unsigned Hold = 10  // elements that may wait
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic [InLanes*Bits-1:0]  in_data_i,
  input  logic                     in_valid_i,
  output logic                     in_ready_o,
  output logic [OutLanes*Bits-1:0] out_data_o,
  output logic                     out_valid_o,
  input  logic                     out_ready_i
);
  if (Bits < 1 || InLanes < 1 || OutLanes < 1 || InRun < 1 || OutRun < 1 || Elements % InRun != 0 || Elements % OutRun != 0)
  begin : gen_check
    $fatal(1, "dfc_repack: InRun and OutRun must both divide Elements");
  end
  if (Hold < InLanes + OutLanes - 1) begin : gen_check_hold
    $fatal(1, "dfc_repack: Hold must be at least InLanes + OutLanes - 1");
  end

  function automatic int unsigned gcd(int unsigned a, int unsigned b);
    return b == 0 ? a : gcd(b, a % b);
  endfunction

  localparam int unsigned InTail = InRun % InLanes;  // elements of a run's last beat; 0: it is full
  localparam int unsigned OutTail = OutRun % OutLanes;
  // Levels count in steps: every number of elements that moves is a multiple of Step.
  localparam int unsigned Step = gcd(gcd(InLanes, InTail), gcd(OutLanes, OutTail));
  localparam int unsigned StepBits = Step * Bits;
  localparam int unsigned Places = Hold / Step;
  localparam int unsigned LevelBits = $clog2(Places + 1);
  typedef logic [LevelBits-1:0] level_t;

  logic take, give, credit, in_short, out_short;
  if (InTail != 0) begin : gen_in
    dfc_run_counter #(.Beats((InRun + InLanes - 1) / InLanes)) u_in (.clk_i, .rst_ni, .step_i(take), .last_o(in_short));
  end else begin : gen_in
    assign in_short = 1'b0;
  end
  if (OutTail != 0) begin : gen_out
    dfc_run_counter #(.Beats((OutRun + OutLanes - 1) / OutLanes)) u_out (.clk_i, .rst_ni, .step_i(give), .last_o(out_short));
  end else begin : gen_out
    assign out_short = 1'b0;
  end

  // Elements wait in `hold_q`, from its lowest lane up; above level_q it is 0.
  logic [Places*StepBits-1:0] hold_q, placed, all;
  level_t level_q, need, filled;
  assign need       = out_short ? level_t'(OutTail / Step) : level_t'(OutLanes / Step);
  assign in_ready_o = level_q <= level_t'(Places - InLanes / Step);
  assign take       = in_valid_i && in_ready_o;
  assign give       = credit && level_q >= need;
  // The beat is placed behind what waits before an output beat leaves: its shifter does not wait for `give`, which comes late.
  assign filled     = !take ? level_q : level_q + (in_short ? level_t'(InTail / Step) : level_t'(InLanes / Step));
  assign all        = hold_q | placed;
  always_comb begin
    placed = '0;
    placed[InLanes*Bits-1:0] = in_short ? in_data_i & (InLanes * Bits)'({(InTail * Bits + 1){1'b1}} >> 1) : in_data_i;
    if (!take) placed = '0;
    for (int unsigned i = 0; i < LevelBits; i++) begin
      if (level_q[i]) placed = placed << (StepBits << i);
    end
  end
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      level_q <= '0;
      hold_q  <= '0;
    end else begin
      level_q <= give ? filled - need : filled;
      hold_q  <= !give ? all : out_short ? all >> (OutTail * Bits) : all >> (OutLanes * Bits);
    end
  end

  dfc_stream_out #(.Width(OutLanes * Bits), .Slots(2)) u_stream (
    .clk_i, .rst_ni, .issue_i(give), .credit_o(credit), .push_i(give), .data_i(hold_q[OutLanes*Bits-1:0]),
    .out_data_o, .out_valid_o, .out_ready_i
  );

  `DFC_STREAM_STABLE(in_valid_i, in_ready_o, in_data_i)
endmodule
