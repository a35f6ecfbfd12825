// Input side of dfc_mvtu_sparse: keeps two vectors of Beats beats, and reads of each the beats that Words words of weights need.
// Word w of a vector: entry w of the file, the index of its beat and above it a bit for the last word of a fold of rows. A vector may be
// read the cycle after its last beat, its page be taken again the cycle after its last word; inputs_o holds a step's beat in the cycle after.
module dfc_mvtu_walk #(
  parameter int unsigned Width     = 8,
  parameter int unsigned Beats     = 4,
  parameter int unsigned Words     = 6,
  parameter int unsigned Style     = 0,  // of the vectors
  parameter int unsigned WalkStyle = 0,
  parameter              File      = "",
  localparam int unsigned WordBits = (Words > 1) ? $clog2(Words) : 1
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic [Width-1:0]    in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,
  output logic                ready_o,  // the present word's vector is there
  output logic                last_o,   // the present word is a fold's last
  output logic [WordBits-1:0] word_o,
  input  logic                step_i,
  output logic [Width-1:0]    inputs_o
);
  localparam int unsigned Places    = 2 * Beats;
  localparam int unsigned AddrBits  = $clog2(Places);
  localparam int unsigned IndexBits = (Beats > 1) ? $clog2(Beats) : 1;

  if (Beats < 1 || Words < Beats) begin : gen_check
    $fatal(1, "dfc_mvtu_walk: Beats must be at least 1, and Words as many");
  end

  logic take, taken, tail, read;
  logic [1:0] fill_q;  // vectors taken whole and not read to their end
  assign in_ready_o = fill_q != 2'd2;
  assign take       = in_valid_i && in_ready_o;
  assign ready_o    = fill_q != '0;
  assign read       = step_i && tail;
  dfc_run_counter #(.Beats(Beats)) u_take (.clk_i, .rst_ni, .step_i(take), .last_o(taken));
  always_ff @(posedge clk_i) begin
    if (!rst_ni) fill_q <= '0;
    else         fill_q <= fill_q + 2'(take && taken) - 2'(read);
  end

  logic [WordBits-1:0] word_q, word_d;
  if (Words > 1) begin : gen_word
    assign tail   = word_q == WordBits'(Words - 1);
    assign word_d = (tail || !rst_ni) ? '0 : word_q + 1'b1;
    always_ff @(posedge clk_i) if (step_i || !rst_ni) word_q <= word_d;
  end else begin : gen_word
    assign tail = 1'b1;
    assign {word_q, word_d} = '0;
  end
  assign word_o = word_q;

  // The entry of the present word: read with the step before it, the first one in the reset.
  logic [IndexBits-1:0] index;
  dfc_rom #(.File(File), .FileDepth(Words), .Width(IndexBits + 1), .Style(WalkStyle)) u_walk (
    .clk_i, .en_i(step_i || !rst_ni), .addr_i(word_d), .data_o({last_o, index})
  );

  logic [AddrBits-1:0] wr_q, page_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {wr_q, page_q} <= '0;
    end else begin
      if (take) wr_q   <= (wr_q == AddrBits'(Places - 1)) ? '0 : wr_q + 1'b1;
      if (read) page_q <= (page_q == '0) ? AddrBits'(Beats) : '0;
    end
  end
  dfc_ram #(.Width(Width), .Depth(Places), .Style(Style)) u_ram (
    .clk_i, .wr_en_i(take), .wr_addr_i(wr_q), .wr_data_i(in_data_i),
    .rd_en_i(step_i), .rd_addr_i(page_q + AddrBits'(index)), .rd_data_o(inputs_o)
  );
endmodule
