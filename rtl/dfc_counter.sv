// Counts steps from 0 to Count - 1 and again from 0; last_o is high while value_o is the last.
// It restarts by its registers' reset, and what it compares is a step older: there is no logic behind the addition.
module dfc_counter #(
  parameter int unsigned Count = 4,
  localparam int unsigned Bits = (Count > 1) ? $clog2(Count) : 1
) (
  input  logic            clk_i,
  input  logic            rst_ni,
  input  logic            step_i,
  output logic [Bits-1:0] value_o,
  output logic            last_o
);
  if (Count > 1) begin : gen_count
    always_ff @(posedge clk_i) begin
      if (!rst_ni)     last_o <= 1'b0;
      else if (step_i) last_o <= value_o == Bits'(Count - 2);
    end
    if (Count == 1 << Bits) begin : gen_power  // it restarts by itself
      always_ff @(posedge clk_i) begin
        if (!rst_ni)     value_o <= '0;
        else if (step_i) value_o <= value_o + 1'b1;
      end
    end else begin : gen_restart
      always_ff @(posedge clk_i) begin
        if (!rst_ni || (step_i && last_o)) value_o <= '0;
        else if (step_i)                   value_o <= value_o + 1'b1;
      end
    end
  end else begin : gen_none
    assign value_o = '0;
    assign last_o  = 1'b1;
    logic unused;
    assign unused = ^{clk_i, rst_ni, step_i};
  end
endmodule
