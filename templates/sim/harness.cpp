// Runs frames through a verilated design and writes what came out, and when.
// usage: harness serve SETUP_CYCLES (see server.cpp), or
//        harness FRAMES STALLS SEED MAX_IDLE SOURCE_GAP SINK_GAP FRAME_PERIOD RESET_AT BATCH TIMES_FILE INPUT_FILE... OUTPUT_FILE...
// Files of beats hold one beat a line in hex. STALLS is the chance, in every cycle, that an input pauses between beats or an output
// is not ready. An input offers a beat SOURCE_GAP cycles after the transfer of the one before, and the first beat of a frame
// FRAME_PERIOD cycles after it offered that of the frame before, at the earliest; an output is ready SINK_GAP cycles after a
// transfer (1, 1 and 0: as fast as can be). Unless RESET_AT is 0 the design is reset in that cycle, and all starts again. BATCH is
// the number of frames that is written into the design's register before it starts, after which tlast must come; 0: none is written,
// which means 1. After MAX_IDLE cycles without a transfer the run is given up. TIMES_FILE: lines "name value...", see write_times.
// Exit codes: 0 done, 2 given up (see TIMES_FILE), 3 the design broke the stream protocol, 4 bad usage or files.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "harness.hpp"

namespace {

struct Random {
  uint64_t state;
  // splitmix64; true with probability threshold / 2**32
  bool below(uint64_t threshold) {
    uint64_t z = (state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return ((z ^ (z >> 31)) & 0xffffffffull) < threshold;
  }
};

[[noreturn]] void fail(int code, const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::exit(code);
}

unsigned bytes_of(const Port& port) { return (port.bits + 7) / 8; }

int digit(char c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; }

std::vector<uint8_t> read_beats(const char* path, const Port& port, uint64_t count) {
  std::FILE* file = std::fopen(path, "rb");
  if (!file) fail(4, std::string("cannot read ") + path);
  const unsigned digits = (port.bits + 3) / 4, bytes = bytes_of(port);
  std::vector<uint8_t> beats(count * bytes);
  std::vector<char> line(digits + 1);
  for (uint64_t i = 0; i < count; ++i) {
    if (std::fread(line.data(), 1, digits + 1, file) != digits + 1 || line[digits] != '\n') {
      fail(4, std::string(path) + ": too few beats, or not of " + std::to_string(digits) + " digits");
    }
    for (unsigned d = 0; d < digits; ++d) beats[i * bytes + d / 2] |= digit(line[digits - 1 - d]) << (d % 2 * 4);
  }
  std::fclose(file);
  return beats;
}

void write_beats(const char* path, const Port& port, const std::vector<uint8_t>& beats) {
  std::FILE* file = std::fopen(path, "wb");
  if (!file) fail(4, std::string("cannot write ") + path);
  const unsigned digits = (port.bits + 3) / 4, bytes = bytes_of(port);
  std::vector<char> line(digits + 1, '\n');
  for (size_t at = 0; at < beats.size(); at += bytes) {
    for (unsigned d = 0; d < digits; ++d) line[digits - 1 - d] = "0123456789abcdef"[beats[at + d / 2] >> (d % 2 * 4) & 15];
    std::fwrite(line.data(), 1, digits + 1, file);
  }
  std::fclose(file);
}

struct Rates {
  uint64_t source_gap, sink_gap, frame_period;
};

struct Input {
  Port port;
  std::vector<uint8_t> beats;
  uint64_t count, done = 0, next = 0, next_frame = 0;  // cycles of the next offer and of the next frame's first, at the earliest
  bool offered = false, moves = false;

  void start() {
    done = next = next_frame = 0;
    offered = moves = false;
    *port.valid = 0;
  }
  void drive(uint64_t cycle, const Rates& rates, bool stall) {
    if (offered || done == count || stall || cycle < next) return;
    if (done % port.beats == 0) {
      if (cycle < next_frame) return;
      next_frame = cycle + rates.frame_period;
    }
    std::memcpy(port.data, &beats[done * bytes_of(port)], bytes_of(port));
    *port.valid = 1;
    offered = true;
  }
  bool transfers() const { return offered && *port.ready; }
  void taken(uint64_t cycle, const Rates& rates) {
    offered = false;
    next = cycle + rates.source_gap;
    *port.valid = 0;
    ++done;
  }
};

struct Output {
  Port port;
  uint64_t count;
  std::vector<uint8_t> beats;
  uint64_t last;
  uint64_t done = 0, next = 0;  // next: cycle in which it may be ready again
  bool waiting = false;
  std::vector<uint8_t> held;

  void start() {
    beats.clear();
    done = next = 0;
    waiting = false;
    *port.ready = 0;
  }
  const uint8_t* data() const { return static_cast<const uint8_t*>(port.data); }
  // The rules of the stream: an offered beat stays, unchanged; tlast marks the last beat of a batch, here of `last` beats.
  void check(uint64_t cycle) {
    const std::string where = std::string(port.name) + ", beat " + std::to_string(done) + ", cycle " + std::to_string(cycle) + ": ";
    if (waiting && !*port.valid) fail(3, where + "tvalid fell before the transfer");
    if (waiting && std::memcmp(held.data(), data(), held.size())) fail(3, where + "tdata changed before the transfer");
    if (*port.valid && *port.last != (done % last == last - 1)) fail(3, where + "tlast is wrong");
    waiting = *port.valid && !*port.ready;
    if (waiting) std::memcpy(held.data(), data(), held.size());
  }
  bool transfers() const { return *port.valid && *port.ready; }
  void take() {
    if (done == count) fail(3, std::string(port.name) + ": more beats than the frames have");
    beats.insert(beats.end(), data(), data() + held.size());
    ++done;
  }
};

struct Bench {
  Design design;
  Rates rates;
  std::vector<Input> inputs;
  std::vector<Output> outputs;
  std::vector<uint64_t> frame_done;  // cycle of each frame's last output transfer, over all ports
  uint64_t cycle = 0, first_take = 0, last_move = 0;
  bool taken = false;

  void half(uint8_t level) {
    *design.clock = level;
    eval_design();
  }
  // Four cycles of reset; then nothing has happened yet.
  void reset(uint64_t frames) {
    *design.reset_n = 0;
    for (Input& i : inputs) i.start();
    for (Output& o : outputs) o.start();
    for (int i = 0; i < 4; ++i) half(0), half(1);
    *design.reset_n = 1;
    frame_done.assign(frames, 0);
    cycle = first_take = last_move = 0;
    taken = false;
  }
  // A write of a register, and a read; the streams rest meanwhile.
  void write(uint8_t address, uint32_t value) {
    const Control& c = design.control;
    *c.awaddr = address, *c.wdata = value;
    *c.awvalid = *c.wvalid = *c.bready = 1;
    for (bool taken = false, done = false; !done;) {
      half(0);
      const bool takes = *c.awready && *c.wready;
      done = taken && *c.bvalid;
      half(1);
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
      half(1);
      if (takes) *c.arvalid = 0;
      if (done) return *c.rready = 0, value;
    }
  }
  void drive(Random& random, uint64_t threshold) {
    for (Input& i : inputs) i.drive(cycle, rates, threshold && random.below(threshold));
    for (Output& o : outputs) *o.port.ready = !(threshold && random.below(threshold)) && cycle >= o.next;
  }
  // One clock cycle. What transfers is decided before the rising edge; ports change after it.
  void step() {
    half(0);
    for (Input& i : inputs) i.moves = i.transfers();
    for (Output& o : outputs) {
      o.check(cycle);
      if (o.transfers()) output(o);
    }
    half(1);
    for (Input& i : inputs) {
      if (!i.moves) continue;
      i.taken(cycle, rates);
      last_move = cycle;
      if (!taken) first_take = cycle;
      taken = true;
    }
    ++cycle;
  }
  void output(Output& o) {
    o.take();
    o.next = cycle + rates.sink_gap;
    last_move = cycle;
    if (o.done % o.port.beats == 0) frame_done[o.done / o.port.beats - 1] = cycle;
  }
  bool finished() const {
    for (const Output& o : outputs) {
      if (o.done != o.count) return false;
    }
    return true;
  }
};

void write_times(const char* path, Bench& bench) {
  std::FILE* file = std::fopen(path, "w");
  if (!file) fail(4, std::string("cannot write ") + path);
  std::fprintf(file, "cycles %llu\nfirst_take %llu\n", (unsigned long long)bench.cycle, (unsigned long long)bench.first_take);
  for (uint64_t c : bench.frame_done) std::fprintf(file, "frame_done %llu\n", (unsigned long long)c);
  for (const Input& i : bench.inputs) {
    std::fprintf(file, "input %s %llu %llu %d %d\n", i.port.name, (unsigned long long)i.done, (unsigned long long)i.count, *i.port.valid, *i.port.ready);
  }
  for (const Output& o : bench.outputs) {
    std::fprintf(file, "output %s %llu %llu %d %d\n", o.port.name, (unsigned long long)o.done, (unsigned long long)o.count, *o.port.valid, *o.port.ready);
  }
  for (Output& o : bench.outputs) *o.port.ready = 0;
  std::fprintf(file, "registers");
  for (uint8_t address : {0x10, 0x18, 0x20, 0x28, 0x30, 0x38}) std::fprintf(file, " %u", bench.read(address));
  std::fprintf(file, "\n");
  std::fclose(file);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && !std::strcmp(argv[1], "serve")) return serve(std::strtoull(argv[2], nullptr, 10));
  if (argc < 11) fail(4, "usage: harness FRAMES STALLS SEED MAX_IDLE SOURCE_GAP SINK_GAP FRAME_PERIOD RESET_AT BATCH TIMES_FILE INPUT_FILE... OUTPUT_FILE...");
  Bench bench;
  const uint64_t seed = std::strtoull(argv[3], nullptr, 10);
  bench.design = open_design(seed);
  const uint64_t frames = std::strtoull(argv[1], nullptr, 10), max_idle = std::strtoull(argv[4], nullptr, 10);
  const uint64_t threshold = static_cast<uint64_t>(std::strtod(argv[2], nullptr) * 4294967296.0);
  bench.rates = {std::strtoull(argv[5], nullptr, 10), std::strtoull(argv[6], nullptr, 10), std::strtoull(argv[7], nullptr, 10)};
  if (argc != 11 + static_cast<int>(bench.design.inputs.size() + bench.design.outputs.size())) fail(4, "wrong number of files");
  const uint64_t batch = std::strtoull(argv[9], nullptr, 10);
  char** path = argv + 11;
  for (const Port& p : bench.design.inputs) bench.inputs.push_back({p, read_beats(*path++, p, frames * p.beats), frames * p.beats});
  for (const Port& p : bench.design.outputs) {
    bench.outputs.push_back({p, frames * p.beats, {}, std::max<uint64_t>(batch, 1) * p.beats, 0, 0, false, std::vector<uint8_t>(bytes_of(p))});
  }
  const auto run = [&](uint64_t until) {
    Random random{seed};
    bench.reset(frames);
    if (batch) bench.write(0x10, static_cast<uint32_t>(batch));
    while (!bench.finished() && bench.cycle - bench.last_move <= max_idle && bench.cycle < until) {
      bench.drive(random, threshold);
      bench.step();
    }
  };
  const uint64_t reset_at = std::strtoull(argv[8], nullptr, 10);
  if (reset_at) run(reset_at);
  run(~uint64_t{0});
  const bool finished = bench.finished();
  write_times(argv[10], bench);
  if (finished) {
    Random none{0};
    for (int i = 0; i < 32; ++i) bench.drive(none, 0), bench.step();  // a beat too many would show now
  }
  for (const Output& o : bench.outputs) write_beats(*path++, o.port, o.beats);
  close_design();
  return finished ? 0 : 2;
}
