// A stream one pixel later: of each frame first a pixel of First in all lanes, then all pixels but the last one, which is dropped.
// With Keep the last pixel is not dropped: the next frame begins with it, and only the first one behind a reset with First.
// There is room for a pixel. Latency 1, interval (Pixels + 1) * Folds cycles.
`include "dfc_assert.svh"
module dfc_delay #(
  parameter int unsigned Pixels = 2,  // of a frame
  parameter int unsigned Folds = 1,   // beats of a pixel
  parameter int unsigned Width = 8,
  parameter int unsigned Bits = 8,    // of an element
  parameter int unsigned First = 0,   // its first code
  parameter int unsigned Keep = 0
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [Width-1:0] in_data_i,
  input  logic             in_valid_i,
  output logic             in_ready_o,
  output logic [Width-1:0] out_data_o,
  output logic             out_valid_o,
  input  logic             out_ready_i
);
  if (Pixels < 1 || Folds < 1 || Bits < 1 || Bits > 31 || Width % Bits != 0) begin : gen_check
    $fatal(1, "dfc_delay: Pixels and Folds must be at least 1, Bits 1 to 31 and a divisor of Width");
  end

  localparam int unsigned FoldBits = Folds > 1 ? $clog2(Folds) : 1;
  localparam int unsigned PixelBits = $clog2(Pixels + 1);
  localparam logic [Width-1:0] FirstBeat = {Width / Bits{Bits'(First)}};

  // Pixel 0 is made here, pixel Pixels is what comes last and is dropped.
  logic [FoldBits-1:0]  fold_q;
  logic [PixelBits-1:0] pixel_q;
  logic first_q, last_q, credit, step;
  assign step       = first_q ? credit : in_valid_i && in_ready_o;
  assign in_ready_o = !first_q && (last_q || credit);
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fold_q  <= '0;
      pixel_q <= '0;
      first_q <= 1'b1;
      last_q  <= 1'b0;
    end else if (step) begin
      if (fold_q != FoldBits'(Folds - 1)) begin
        fold_q <= fold_q + 1'b1;
      end else begin
        fold_q  <= '0;
        pixel_q <= last_q ? '0 : pixel_q + 1'b1;
        first_q <= last_q;
        last_q  <= pixel_q == PixelBits'(Pixels - 1);
      end
    end
  end

  logic [Width-1:0] first;
  if (Keep != 0) begin : gen_keep
    logic             fresh_q;  // no pixel has been kept
    logic [Width-1:0] kept_q[Folds];
    assign first = fresh_q ? FirstBeat : kept_q[Folds-1];
    always_ff @(posedge clk_i) begin
      if (!rst_ni) fresh_q <= 1'b1;
      else if (step && last_q) fresh_q <= 1'b0;
      if (step && last_q) kept_q[0] <= in_data_i;
      for (int i = 1; i < int'(Folds); i++) if (step && (first_q || last_q)) kept_q[i] <= kept_q[i-1];
    end
  end else begin : gen_drop
    assign first = FirstBeat;
  end

  dfc_stream_out #(.Width(Width), .Slots(Folds > 2 ? Folds : 2)) u_out (
    .clk_i, .rst_ni, .issue_i(step && !last_q), .credit_o(credit), .push_i(step && !last_q), .data_i(first_q ? first : in_data_i),
    .out_data_o, .out_valid_o, .out_ready_i
  );

  `DFC_STREAM_STABLE(out_valid_o, out_ready_i, out_data_o)
endmodule
