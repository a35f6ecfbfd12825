// Transmitter of an asynchronous serial line: 8 data bits, no parity, a stop bit, Divisor cycles a bit.
// Takes a byte when the one before has left: interval 10 * Divisor cycles.
module dfc_uart_tx #(
  parameter int unsigned Divisor = 16
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic [7:0] data_i,
  input  logic       valid_i,
  output logic       ready_o,
  output logic       line_o
);
  if (Divisor < 4) begin : gen_check
    $fatal(1, "dfc_uart_tx: Divisor must be at least 4");
  end

  localparam int unsigned CountBits = $clog2(Divisor);
  typedef logic [CountBits-1:0] count_t;

  logic [3:0] bits_q;  // bits that are left
  count_t     count_q;
  logic [8:0] shift_q;
  logic       last;
  assign last    = count_q == '0;
  assign ready_o = bits_q == '0;
  assign line_o  = shift_q[0];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      bits_q  <= '0;
      shift_q <= '1;
    end else if (ready_o) begin
      count_q <= count_t'(Divisor - 1);
      if (valid_i) begin
        bits_q  <= 4'd10;
        shift_q <= {data_i, 1'b0};
      end
    end else begin
      count_q <= last ? count_t'(Divisor - 1) : count_q - 1'b1;
      if (last) begin
        bits_q  <= bits_q - 1'b1;
        shift_q <= {1'b1, shift_q[8:1]};
      end
    end
  end
endmodule
