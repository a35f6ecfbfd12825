// Receiver of an asynchronous serial line: 8 data bits, no parity, a stop bit, Divisor cycles a bit.
// A byte is valid for one cycle, a cycle after the middle of its stop bit; error_o in its place where that bit is low.
module dfc_uart_rx #(
  parameter int unsigned Divisor = 16
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       line_i,
  output logic [7:0] data_o,
  output logic       valid_o,
  output logic       error_o
);
  if (Divisor < 4) begin : gen_check
    $fatal(1, "dfc_uart_rx: Divisor must be at least 4");
  end

  localparam int unsigned CountBits = $clog2(Divisor + Divisor / 2);
  typedef logic [CountBits-1:0] count_t;

  // The line changes at any time: two registers settle it.
  logic [1:0] line_q;
  always_ff @(posedge clk_i) line_q <= {line_q[0], line_i};

  logic       busy_q;
  count_t     count_q;
  logic [3:0] bit_q;
  logic [7:0] data_q;
  logic       sample;
  assign sample = busy_q && count_q == '0;
  assign data_o = data_q;
  always_ff @(posedge clk_i) begin
    valid_o <= rst_ni && sample && bit_q == 4'd8 && line_q[1];
    error_o <= rst_ni && sample && bit_q == 4'd8 && !line_q[1];
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
    end else if (!busy_q) begin
      busy_q  <= !line_q[1];
      bit_q   <= '0;
      count_q <= count_t'(Divisor + Divisor / 2 - 2);  // the middle of the first data bit; two cycles have gone
    end else if (sample) begin
      count_q <= count_t'(Divisor - 1);
      bit_q   <= bit_q + 1'b1;
      data_q  <= {line_q[1], data_q[7:1]};
      // A line that stays low (a break) is no start bit.
      if (bit_q == 4'd8) begin
        data_q <= data_q;
        bit_q  <= line_q[1] ? '0 : 4'd8;
        busy_q <= !line_q[1];
      end
    end else begin
      count_q <= count_q - 1'b1;
    end
  end
endmodule
