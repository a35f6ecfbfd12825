// Follows elements through a module with one input stream and one output stream. A mark, at any time and on any lane, picks one;
// it must come out as the element of the same number, with the same value, for every length of run and every pattern of stalls.
//   no loss, no duplication, no change: the marked element comes out where it is expected, unchanged
//   no ghost: nothing is offered that has not come in (lanes behind the end of a run may hold anything)
//   stable: an offered beat stays, unchanged, until it is taken
//   room: it holds what it is said to hold
//   progress: a complete beat is offered after at most Waits cycles; where no output holds its beat back, a beat is taken after at
//   most Refuses cycles (1: the place of a beat is free the cycle after it left)
module stream_checker #(
  parameter int unsigned Bits = 2,
  parameter int unsigned InLanes = 1,
  parameter int unsigned InRun = InLanes,  // elements after which the lanes start again
  parameter int unsigned OutLanes = 1,
  parameter int unsigned OutRun = OutLanes,
  parameter int unsigned Most = 4,  // elements that the module may hold
  parameter int unsigned Least = 0,  // with fewer it takes a beat at once
  parameter int unsigned Waits = 0,
  parameter int unsigned Refuses = 1
) (
  input logic                     clk_i,
  input logic                     rst_ni,
  input logic                     mark_i,
  input logic [7:0]               lane_i,
  input logic                     stalled_i,  // a beat is offered and not taken, at any output of the module
  input logic [InLanes*Bits-1:0]  in_data_i,
  input logic                     in_valid_i,
  input logic                     in_ready_i,
  input logic [OutLanes*Bits-1:0] out_data_i,
  input logic                     out_valid_i,
  input logic                     out_ready_i
);
  localparam int unsigned Wide = $clog2(Most + InLanes + OutLanes + 1);
  localparam int unsigned InPlaces = $clog2(InRun + InLanes + 1);
  localparam int unsigned OutPlaces = $clog2(OutRun + OutLanes + 1);
  localparam int unsigned Count = $clog2((Waits > Refuses ? Waits : Refuses) + 2);
  typedef logic [Wide-1:0] level_t;

  logic in_take, out_take;
  assign in_take  = in_valid_i && in_ready_i;
  assign out_take = out_valid_i && out_ready_i;

  // Elements of this beat: the last one of a run may have fewer.
  logic [InPlaces-1:0]  in_left_q;
  logic [OutPlaces-1:0] out_left_q;
  level_t in_count, out_count;
  assign in_count  = in_left_q > InPlaces'(InLanes) ? level_t'(InLanes) : level_t'(in_left_q);
  assign out_count = out_left_q > OutPlaces'(OutLanes) ? level_t'(OutLanes) : level_t'(out_left_q);
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      in_left_q  <= InPlaces'(InRun);
      out_left_q <= OutPlaces'(OutRun);
    end else begin
      if (in_take) in_left_q <= in_left_q <= InPlaces'(InLanes) ? InPlaces'(InRun) : in_left_q - InPlaces'(InLanes);
      if (out_take) out_left_q <= out_left_q <= OutPlaces'(OutLanes) ? OutPlaces'(OutRun) : out_left_q - OutPlaces'(OutLanes);
    end
  end

  level_t level_q, ahead_q, lane, leaves;
  logic   marked_q, picks;
  logic [Bits-1:0] value_q, found;
  assign leaves = out_take ? out_count : '0;
  assign lane   = level_t'(lane_i);
  assign picks  = mark_i && !marked_q && in_take && 32'(lane_i) < InLanes && lane < in_count;
  assign found  = out_data_i[ahead_q*Bits+:Bits];
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      level_q  <= '0;
      marked_q <= 1'b0;
    end else begin
      level_q <= level_q + (in_take ? in_count : '0) - leaves;
      if (picks) begin
        marked_q <= 1'b1;
        ahead_q  <= level_q + lane - leaves;
        value_q  <= in_data_i[lane*Bits+:Bits];
      end else if (marked_q && out_take) begin
        marked_q <= ahead_q >= out_count;
        ahead_q  <= ahead_q - out_count;
      end
    end
  end

  // What was offered in the cycle before and not taken; cycles in which nothing moved that could.
  logic                     held_q, waits, refuses;
  logic [OutLanes*Bits-1:0] beat_q;
  logic [Count-1:0]         waits_q, refuses_q;
  assign waits   = level_q >= out_count && !out_valid_i && !(Waits != 0 && stalled_i);
  assign refuses = in_valid_i && !in_ready_i && !stalled_i;
  always_ff @(posedge clk_i) begin
    beat_q <= out_data_i;
    if (!rst_ni) begin
      held_q <= 1'b0;
      {waits_q, refuses_q} <= '0;
    end else begin
      held_q    <= out_valid_i && !out_ready_i;
      waits_q   <= waits ? waits_q + 1'b1 : '0;
      refuses_q <= refuses ? refuses_q + 1'b1 : '0;
    end
  end

  same: assert property (@(posedge clk_i) disable iff (!rst_ni) !(marked_q && out_take && ahead_q < out_count) || found == value_q);
  ghost: assert property (@(posedge clk_i) disable iff (!rst_ni) !out_valid_i || level_q >= out_count);
  bounded: assert property (@(posedge clk_i) disable iff (!rst_ni) level_q <= level_t'(Most));
  room: assert property (@(posedge clk_i) disable iff (!rst_ni) Least == 0 || level_q >= level_t'(Least) || in_ready_i);
  stable: assert property (@(posedge clk_i) disable iff (!rst_ni) !held_q || (out_valid_i && out_data_i == beat_q));
  offered: assert property (@(posedge clk_i) disable iff (!rst_ni) waits_q <= Count'(Waits));
  taken: assert property (@(posedge clk_i) disable iff (!rst_ni) refuses_q <= Count'(Refuses));
endmodule
