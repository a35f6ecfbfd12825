// Where the pixels that the loopback array makes together read: pixel k as many src_w and x_step behind pixel 0. Combinational.
module dfc_lb_pixels #(
  parameter int unsigned Pixels = 1
) (
  input  logic [23:0]             word_i,  // of pixel 0
  input  logic [23:0]             src_w_i,
  input  logic [13:0]             y_i,     // position of pixel 0, signed
  input  logic [12:0]             y_size_i,
  input  logic [13:0]             x_i,
  input  logic [7:0]              x_step_i,
  input  logic [12:0]             x_size_i,
  input  logic [11:0]             left_i,  // outputs behind pixel 0
  output logic [Pixels-1:0][23:0] address_o,
  output logic [Pixels-1:0]       present_o,  // inside the picture, of an output that there is
  output logic [2:0]              more_o   // outputs that are made with that of pixel 0
);
  logic in_row;
  assign in_row = !y_i[13] && y_i < 14'(y_size_i);
  assign more_o = left_i < 12'(Pixels) ? 3'(left_i) : 3'(Pixels - 1);
  for (genvar k = 0; k < int'(Pixels); k++) begin : gen_pixel
    logic [13:0] x;
    assign x = x_i + 14'(k) * 14'(x_step_i);
    assign address_o[k] = word_i + 24'(k) * src_w_i;
    assign present_o[k] = in_row && !x[13] && x < 14'(x_size_i) && 4'(more_o) + 4'd1 > 4'(k);
  end
endmodule
