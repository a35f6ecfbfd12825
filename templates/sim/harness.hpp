// What the harness knows of a verilated design: its AXI4-Stream ports by address.
#pragma once
#include <cstdint>
#include <vector>

struct Port {
  const char* name;
  void* data;       // little-endian, as Verilator keeps it
  uint8_t* valid;
  uint8_t* ready;
  uint8_t* last;    // outputs only
  unsigned bits;    // of a beat, without padding
  unsigned bytes;   // of a beat, with padding
  uint64_t beats;   // per frame
};

// AXI4-Lite registers.
struct Control {
  uint8_t *awaddr, *awvalid, *awready, *wvalid, *wready, *bvalid, *bready, *araddr, *arvalid, *arready, *rvalid, *rready;
  uint32_t *wdata, *rdata;
};

struct Design {
  std::vector<Port> inputs, outputs;
  Control control;
  uint8_t* clock;
  uint8_t* reset_n;
};

Design open_design(uint64_t seed);
void eval_design();
void close_design();
int serve(uint64_t setup_cycles);  // server.cpp: until standard input ends; the exit code
