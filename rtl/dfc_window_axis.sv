// One axis of dfc_window_walk: is the present tap on a pixel, and does the next move cross a pixel more than usual?
// Moves[next_i] is how far the next tap is in the stuffed picture.
module dfc_window_axis #(
  parameter int          Origin = 0,
  parameter int          Last = 3,
  parameter int          End = 4,
  parameter int unsigned Stuff = 1,
  parameter bit          Pads = 1'b1,
  parameter int          Moves [7] = '{0, 1, 0, 0, 1, 0, 0}
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       step_i,
  input  logic [2:0] next_i,
  output logic       real_o,
  output logic       carry_o
);
  function automatic int modulo(int a, int b);
    return a >= 0 ? a % b : b - 1 - ((-a - 1) % b);
  endfunction

  localparam int Span = (Last > End ? Last : End) - (Origin < 0 ? Origin : 0) + 1;
  localparam int unsigned PlaceBits = $clog2(Span + 1) + 1;
  localparam int unsigned PhaseBits = $clog2(2 * Stuff) + 1;
  typedef logic signed [PlaceBits-1:0] place_t;
  typedef logic [PhaseBits-1:0] phase_t;

  logic on_grid;
  if (Pads) begin : gen_place
    place_t move [8];
    for (genvar e = 0; e < 8; e++) begin : gen_move
      assign move[e] = e < 7 ? place_t'(Moves[e%7]) : '0;
    end
    place_t place_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni)     place_q <= place_t'(Origin);
      else if (step_i) place_q <= place_q + move[next_i];
    end
    assign real_o = !place_q[PlaceBits-1] && place_q < place_t'(End) && on_grid;
  end else begin : gen_inside
    assign real_o = on_grid;
  end

  if (Stuff > 1) begin : gen_phase
    phase_t move [8];
    for (genvar e = 0; e < 8; e++) begin : gen_move
      assign move[e] = e < 7 ? phase_t'(modulo(Moves[e%7], int'(Stuff))) : '0;
    end
    phase_t phase_q, sum;
    assign sum     = phase_q + move[next_i];
    assign carry_o = sum >= phase_t'(Stuff);
    always_ff @(posedge clk_i) begin
      if (!rst_ni)     phase_q <= phase_t'(modulo(Origin, int'(Stuff)));
      else if (step_i) phase_q <= carry_o ? sum - phase_t'(Stuff) : sum;
    end
    assign on_grid = phase_q == '0;
  end else begin : gen_plain
    assign on_grid = 1'b1;
    assign carry_o = 1'b0;
  end

  if (!Pads && Stuff == 1) begin : gen_unused
    logic unused;
    assign unused = ^{clk_i, rst_ni, step_i, next_i};
  end
endmodule
