// Same elements with another number of lanes a beat, any ratio.
// Latency 1 from the beat that completes an output beat; interval max(beats in, beats out) cycles.
`include "dfc_assert.svh"
module dfc_width_converter #(
  parameter int unsigned Elements = 6,  // of a frame
  parameter int unsigned Bits = 8,
  parameter int unsigned InLanes = 2,
  parameter int unsigned OutLanes = 3
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
  if (Bits < 1 || InLanes < 1 || OutLanes < 1 || Elements % InLanes != 0 || Elements % OutLanes != 0) begin : gen_check
    $fatal(1, "dfc_width_converter: InLanes and OutLanes must both divide Elements");
  end

  function automatic int unsigned gcd(int unsigned a, int unsigned b);
    return b == 0 ? a : gcd(b, a % b);
  endfunction

  localparam bit Down = InLanes >= OutLanes;
  localparam bit Whole = Down ? InLanes % OutLanes == 0 : OutLanes % InLanes == 0;
  localparam int unsigned Slots = OutLanes >= 2 * InLanes ? 1 : 2;
  localparam int unsigned LevelBits = $clog2(InLanes + OutLanes + 1);
  typedef logic [LevelBits-1:0] level_t;

  // Elements that wait in `hold_q`, from its lowest lane up: at most HoldLanes.
  localparam int unsigned HoldLanes = Down ? (InLanes > 1 ? InLanes - 1 : 1) : Whole ? OutLanes - InLanes : OutLanes - 1;
  localparam int unsigned AllLanes = HoldLanes + InLanes;
  logic [AllLanes*Bits-1:0]  all;  // what waits, and above it the beat that comes in
  logic [HoldLanes*Bits-1:0] hold_q;
  level_t level_q, taken;
  logic   credit, takes, gives, step;

  assign takes      = !Down || level_q < level_t'(OutLanes);
  assign taken      = level_q + (takes ? level_t'(InLanes) : '0);
  assign gives      = Down || taken >= level_t'(OutLanes);
  assign in_ready_o = takes && (credit || !gives);
  assign step       = takes ? in_valid_i && in_ready_o : credit;
  always_ff @(posedge clk_i) begin
    if (!rst_ni)   level_q <= '0;
    else if (step) level_q <= gives ? taken - level_t'(OutLanes) : taken;
  end

  if (Down && Whole) begin : gen_down
    // A beat comes in only when nothing waits.
    assign all = takes ? (AllLanes * Bits)'(in_data_i) : (AllLanes * Bits)'(hold_q);
    always_ff @(posedge clk_i) if (step) hold_q <= (HoldLanes * Bits)'(all >> (OutLanes * Bits));
  end else if (Whole) begin : gen_up
    // The last part goes straight to the output; the others wait, each in its place.
    assign all = {in_data_i, hold_q};
    for (genvar i = 0; i < HoldLanes; i += InLanes) begin : gen_part
      always_ff @(posedge clk_i) if (level_q == level_t'(i)) hold_q[i*Bits+:InLanes*Bits] <= in_data_i;
    end
  end else begin : gen_insert
    always_comb begin
      all = (AllLanes * Bits)'(hold_q);
      for (int unsigned i = 0; i <= HoldLanes; i += gcd(InLanes, OutLanes)) begin
        if (takes && level_q == level_t'(i)) all[i*Bits+:InLanes*Bits] = in_data_i;
      end
    end
    always_ff @(posedge clk_i) if (step) hold_q <= (HoldLanes * Bits)'(gives ? all >> (OutLanes * Bits) : all);
  end

  dfc_stream_out #(.Width(OutLanes * Bits), .Slots(Slots)) u_out (
    .clk_i, .rst_ni, .issue_i(step && gives), .credit_o(credit), .push_i(step && gives), .data_i(all[OutLanes*Bits-1:0]),
    .out_data_o, .out_valid_o, .out_ready_i
  );
endmodule
