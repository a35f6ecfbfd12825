// A verilated design that another program drives through pipes, as a processor drives it on a board: registers, and a DMA on each stream.
// `harness serve SETUP_CYCLES`: so many cycles pass between the start of a transfer and its first beat. The clock runs during register accesses and in `advance` only.
// Commands from standard input, a letter and numbers of 64 bits, little-endian; answers are numbers of 64 bits:
//   w ADDRESS VALUE        write a register
//   r ADDRESS              -> its value
//   s PORT BYTES, bytes    send them to an input: whole beats
//   d PORT CAPACITY        receive from an output until tlast; an error where it does not come in time
//   a SIDE PORT LIMIT      advance until the channel (side 0: input) is idle, at most LIMIT cycles -> state: 0 busy, 1 idle, 2 error
//   g PORT                 -> bytes received, the bytes themselves
//   c                      -> cycles since reset
// Exit codes: 0 end of input, 4 bad usage.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "harness.hpp"

namespace {

enum State : uint64_t { BUSY = 0, IDLE = 1, ERROR = 2 };

struct Channel {
  Port port;
  std::vector<uint8_t> data;  // to send, or received
  uint64_t size = 0, at = 0, first = 0;  // bytes in all or room for them, bytes moved, cycle before which none moves
  State state = IDLE;
  bool moves = false;
};

Design design;
std::vector<Channel> inputs, outputs;
uint64_t cycle = 0, setup = 0;

[[noreturn]] void fail(const char* text) {
  std::fprintf(stderr, "server: %s\n", text);
  std::exit(4);
}

void half(uint8_t level) {
  *design.clock = level;
  eval_design();
}

// One clock cycle: what transfers is decided before the rising edge, ports change after it.
void step() {
  for (Channel& c : inputs) {
    const bool offers = c.state == BUSY && cycle >= c.first;
    if (offers) std::memcpy(c.port.data, &c.data[c.at], c.port.bytes);
    *c.port.valid = offers;
  }
  for (Channel& c : outputs) *c.port.ready = c.state == BUSY && cycle >= c.first;
  half(0);
  for (Channel& c : inputs) c.moves = *c.port.valid && *c.port.ready;
  for (Channel& c : outputs) {
    if (!*c.port.valid || !*c.port.ready) continue;
    if (c.at == c.size) {  // as the DMA does when the packet is longer than its length register says
      c.state = ERROR;
      continue;
    }
    std::memcpy(&c.data[c.at], c.port.data, c.port.bytes);
    c.at += c.port.bytes;
    if (*c.port.last) c.state = IDLE;
  }
  half(1);
  for (Channel& c : inputs) {
    if (c.moves && (c.at += c.port.bytes) == c.size) c.state = IDLE;
  }
  ++cycle;
}

void write(uint8_t address, uint32_t value) {
  const Control& c = design.control;
  *c.awaddr = address, *c.wdata = value;
  *c.awvalid = *c.wvalid = *c.bready = 1;
  for (bool taken = false, done = false; !done;) {
    half(0);
    const bool takes = *c.awready && *c.wready;
    done = taken && *c.bvalid;
    step();
    if (takes) taken = true, *c.awvalid = *c.wvalid = 0;
  }
  *c.bready = 0;
}

uint32_t read(uint8_t address) {
  const Control& c = design.control;
  *c.araddr = address;
  *c.arvalid = *c.rready = 1;
  for (;;) {
    half(0);
    const bool takes = *c.arready, done = *c.rvalid;
    const uint32_t value = *c.rdata;
    step();
    if (takes) *c.arvalid = 0;
    if (done) return *c.rready = 0, value;
  }
}

uint64_t number() {
  uint8_t bytes[8];
  if (std::fread(bytes, 1, 8, stdin) != 8) fail("the input ends within a command");
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value |= uint64_t{bytes[i]} << 8 * i;
  return value;
}

void answer(uint64_t value) {
  for (int i = 0; i < 8; ++i) std::putchar(static_cast<int>(value >> 8 * i & 255));
}

Channel& channel(std::vector<Channel>& side) {
  const uint64_t port = number();
  if (port >= side.size()) fail("no such port");
  return side[port];
}

void start(Channel& c) {
  if (c.state == BUSY) fail("a transfer is started on a channel that is busy");
  c.size = number();
  if (c.size == 0 || c.size % c.port.bytes) fail("a transfer is not of whole beats");
  c.data.assign(c.size, 0);
  c.at = 0;
  c.first = cycle + setup;
  c.state = BUSY;
}

void command(int letter) {
  if (letter == 'w') {
    const uint64_t address = number();
    write(static_cast<uint8_t>(address), static_cast<uint32_t>(number()));
  } else if (letter == 'r') {
    answer(read(static_cast<uint8_t>(number())));
  } else if (letter == 's') {
    Channel& c = channel(inputs);
    start(c);
    if (std::fread(c.data.data(), 1, c.size, stdin) != c.size) fail("the input ends within a transfer");
  } else if (letter == 'd') {
    start(channel(outputs));
  } else if (letter == 'a') {
    Channel& c = channel(number() ? outputs : inputs);
    for (uint64_t limit = number(); c.state == BUSY && limit; --limit) step();
    answer(c.state);
  } else if (letter == 'g') {
    const Channel& c = channel(outputs);
    answer(c.at);
    std::fwrite(c.data.data(), 1, c.at, stdout);
  } else if (letter == 'c') {
    answer(cycle);
  } else {
    fail("no such command");
  }
}

}  // namespace

int serve(uint64_t setup_cycles) {
  setup = setup_cycles;
  design = open_design(1);
  for (const Port& p : design.inputs) inputs.push_back({p, {}});
  for (const Port& p : design.outputs) outputs.push_back({p, {}});
  *design.reset_n = 0;
  for (Channel& c : inputs) *c.port.valid = 0;
  for (Channel& c : outputs) *c.port.ready = 0;
  for (int i = 0; i < 4; ++i) half(0), half(1);
  *design.reset_n = 1;
  for (int letter; (letter = std::getchar()) != EOF;) {
    command(letter);
    std::fflush(stdout);
  }
  close_design();
  return 0;
}
