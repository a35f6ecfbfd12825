// What travels with a step of the loopback array, and with a result.
`ifndef DFC_LB_TYPES_SVH
`define DFC_LB_TYPES_SVH

typedef struct packed {
  logic        fresh;       // first step of a value: of an output, a tap or a factor
  logic        ends;        // last step of a value
  logic        initial_tap; // a step of the first tap of an output
  logic        last;        // last step of an output
  logic        shift;       // multiply the value by 2**ActBits before this step
  logic        present;     // the input word is inside the picture
  logic [7:0]  pad;
  logic [2:0]  op;
  logic [17:0] number;      // ARGMAX: x of the tap; MUL: what the factor starts from
  logic [1:0]  width;      // log2 of the bits of a weight
  logic [2:0]  part;       // which part of the weight word
  logic        acc_load;
  logic        acc_store;
  logic [15:0] acc_word;
} dfc_lb_step_t;

typedef struct packed {
  logic        final_result;  // last output of its descriptor
  logic [2:0]  signals;
  logic        hidden;        // a partial sum: nothing is written
  logic [3:0]  levels;
  logic [1:0]  bank;
  logic        twice;
  logic        lookup;
  logic        scale;
  logic [5:0]  scale_shift;
  logic        root;
  logic [5:0]  root_steps;
  logic [6:0]  root_start;
  logic [2:0]  planes;
  logic [5:0]  writes;
  logic [6:0]  lane;
  logic [2:0]  more;          // results of the same step that follow
  logic [23:0] dst;
  logic [23:0] dst_w;         // from one of them to the next
  logic [23:0] dst_p;
} dfc_lb_result_t;

`endif
