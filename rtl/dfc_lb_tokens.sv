// Dependency tokens between the three queues of the loopback engine: six counters, one for each ordered pair.
// Queue u may start when every queue in waits_i[u] has given it a token; the tokens go with take_i[u]. Latency 1.
module dfc_lb_tokens (
  input  logic            clk_i,
  input  logic            rst_ni,
  input  logic            clear_i,
  input  logic [2:0][2:0] waits_i,
  input  logic [2:0]      take_i,
  output logic [2:0]      ready_o,
  input  logic [2:0]      done_i,
  input  logic [2:0][2:0] signals_i
);
  for (genvar to = 0; to < 3; to++) begin : gen_to
    logic [2:0] missing;
    assign ready_o[to] = missing == '0;
    for (genvar from = 0; from < 3; from++) begin : gen_from
      if (from == to) begin : gen_own
        assign missing[from] = 1'b0;
        logic unused_own;
        assign unused_own = ^{waits_i[to][from], signals_i[from][to]};
      end else begin : gen_pair
        logic [15:0] count_q;
        logic        up, down;
        assign up   = done_i[from] && signals_i[from][to];
        assign down = take_i[to] && waits_i[to][from];
        assign missing[from] = waits_i[to][from] && count_q == '0;
        always_ff @(posedge clk_i) begin
          if (!rst_ni || clear_i) count_q <= '0;
          else                    count_q <= count_q + 16'(up) - 16'(down);
        end
      end
    end
  end
endmodule
