// Runs the loopback engine on a memory image: AXI4 memory of fixed latency, or with random stalls on every channel.
// usage: harness IMAGE OUT PROGRAM_ADDRESS PROGRAM_BYTES LATENCY STALLS SEED MAX_CYCLES [DISTURBANCE AT]
// Prints "cycles error index" of the registers after each run and writes the memory after the last to OUT. MAX_CYCLES are those of a run.
// With a disturbance there are two runs, each of the image as it was: the first with it, the second without.
//   reset: for 4 cycles from cycle AT on; nothing is printed of that run
//   start: the control register is told to start again in cycle AT, while the engine is busy
//   program, read, write: beat AT of the program or data reads, burst AT of the writes is answered with an error
// Exit codes: 0 done, 1 bad usage or files, 2 not finished, 3 the engine broke a rule of AXI.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>
#include "Vdut.h"
#include "verilated.h"

using Memory = std::vector<uint8_t>;
static const int Bytes = BUS_BITS / 8;
static const uint64_t Never = ~uint64_t{0};
static const CData Slverr = 2;

static void put(IData& port, const uint8_t* from) { std::memcpy(&port, from, Bytes); }
static void put(QData& port, const uint8_t* from) { std::memcpy(&port, from, Bytes); }
template <std::size_t N>
static void put(VlWide<N>& port, const uint8_t* from) { std::memcpy(port.data(), from, Bytes); }
static void get(const IData& port, uint8_t* to) { std::memcpy(to, &port, Bytes); }
static void get(const QData& port, uint8_t* to) { std::memcpy(to, &port, Bytes); }
template <std::size_t N>
static void get(const VlWide<N>& port, uint8_t* to) { std::memcpy(to, port.data(), Bytes); }

[[noreturn]] static void broken(const char* rule) {
  std::fprintf(stderr, "%s\n", rule);
  std::exit(3);
}

struct Burst {
  uint64_t ready;
  uint32_t address;
  int beats;
};

static Burst burst(uint64_t ready, uint32_t address, int beats) {
  if ((address & 4095) + beats * Bytes > 4096) broken("a burst crosses a border of 4 KiB");
  return {ready, address, beats};
}

struct Dice {
  std::mt19937 engine;
  double stalls;
  bool operator()() { return stalls > 0 && std::uniform_real_distribution<>(0, 1)(engine) < stalls; }
};

// What a channel of the engine offers stays, unchanged, until it is taken.
template <class Payload>
struct Held {
  bool waits = false;
  Payload payload{};
  void check(bool valid, bool ready, const Payload& offered, const char* rule) {
    if (waits && !(valid && offered == payload)) broken(rule);
    waits = valid && !ready;
    if (waits) payload = offered;
  }
};
using Word = std::array<uint8_t, Bytes + 1>;  // data, then WLAST

static uint64_t request(uint32_t address, uint8_t len) { return address | uint64_t{len} << 32; }

// One read channel: bursts are answered in order, the first word `latency` cycles after the request at the earliest.
struct Reader {
  std::deque<Burst> bursts;
  Held<uint64_t> held;
  uint64_t answered = 0, wrong = Never;  // beats; the one with an error
  bool valid = false, ready = false;
  template <class Data>
  void drive(uint64_t now, Dice& dice, const Memory& memory, CData& arready, CData& rvalid, CData& rlast, CData& rresp, Data& rdata) {
    ready = !dice();
    arready = ready;
    if (!valid && !bursts.empty() && bursts.front().ready <= now) valid = !dice();
    rvalid = valid;
    rresp = 0;
    if (!valid) return;
    const Burst& b = bursts.front();
    rlast = b.beats == 1;
    if (b.address + Bytes > memory.size() || answered == wrong) rresp = Slverr;
    else put(rdata, &memory[b.address]);
  }
  void clock(uint64_t now, int latency, CData arvalid, IData araddr, CData arlen, CData rready) {
    held.check(arvalid, ready, request(araddr, arlen), "a read request changed before it was taken");
    if (valid && rready) {
      ++answered;
      bursts.front().address += Bytes;
      if (--bursts.front().beats == 0) bursts.pop_front();
      valid = false;
    }
    if (ready && arvalid) bursts.push_back(burst(now + latency, araddr, arlen + 1));
  }
};

// The write channels: one answer a burst.
struct Writer {
  std::deque<Burst> bursts;
  std::deque<uint64_t> answers;
  Held<uint64_t> held_request;
  Held<Word> held_word;
  uint64_t answered = 0, wrong = Never;
  bool awready = false, wready = false, bvalid = false;
  void drive(uint64_t now, Dice& dice, Vdut& dut) {
    awready = !dice();
    wready = !dice();
    if (!bvalid && !answers.empty() && answers.front() <= now) bvalid = !dice();
    dut.m_axi_data_awready = awready;
    dut.m_axi_data_wready = wready && !bursts.empty();
    dut.m_axi_data_bvalid = bvalid;
    dut.m_axi_data_bresp = answered == wrong ? Slverr : 0;
  }
  void clock(uint64_t now, int latency, Memory& memory, Vdut& dut) {
    Word word;
    get(dut.m_axi_data_wdata, word.data());
    word[Bytes] = dut.m_axi_data_wlast;
    held_word.check(dut.m_axi_data_wvalid, dut.m_axi_data_wready, word, "a word changed before it was taken");
    held_request.check(dut.m_axi_data_awvalid, awready, request(dut.m_axi_data_awaddr, dut.m_axi_data_awlen),
                       "a write request changed before it was taken");
    if (dut.m_axi_data_wvalid && dut.m_axi_data_wready) {
      Burst& b = bursts.front();
      if (b.address + Bytes <= memory.size()) std::memcpy(&memory[b.address], word.data(), Bytes);
      b.address += Bytes;
      if ((--b.beats == 0) != (dut.m_axi_data_wlast != 0)) broken("WLAST is not with the last word of a burst");
      if (b.beats == 0) {
        bursts.pop_front();
        answers.push_back(now + latency);
      }
    }
    if (bvalid && dut.m_axi_data_bready) {
      ++answered;
      answers.pop_front();
      bvalid = false;
    }
    if (awready && dut.m_axi_data_awvalid) bursts.push_back(burst(now, dut.m_axi_data_awaddr, dut.m_axi_data_awlen + 1));
  }
};

// AXI4-Lite: writes the two program registers and starts, then reads control until it is done, cycles, index and error.
struct Control {
  uint32_t script[3][2];
  uint64_t restart;  // cycle in which start is written again
  int written = 0, reading = 0;
  uint32_t seen[5] = {0, 0, 0, 0, 0};
  bool waits = false, asked = false, finished = false, again = false;
  void drive(uint64_t now, Vdut& dut) {
    static const uint32_t read_at[5] = {0x00, 0x30, 0x38, 0x28, 0x20};
    again = again || now == restart;
    const bool write = (written < 3 || again) && !waits;
    dut.s_axi_control_awvalid = dut.s_axi_control_wvalid = write;
    if (write) {
      dut.s_axi_control_awaddr = script[written < 3 ? written : 2][0];
      dut.s_axi_control_wdata = script[written < 3 ? written : 2][1];
    }
    dut.s_axi_control_bready = dut.s_axi_control_rready = 1;
    dut.s_axi_control_arvalid = written >= 3 && !asked;
    dut.s_axi_control_araddr = read_at[reading];
  }
  void clock(Vdut& dut) {
    if (dut.s_axi_control_awvalid && dut.s_axi_control_awready) {
      waits = true;
      again = again && written < 3;
    } else if (waits && dut.s_axi_control_bvalid) {
      waits = false;
      ++written;
    }
    if (dut.s_axi_control_arvalid && dut.s_axi_control_arready) asked = true;
    if (asked && dut.s_axi_control_rvalid) {
      asked = false;
      seen[reading] = dut.s_axi_control_rdata;
      if (reading || (seen[0] & 2)) finished = ++reading == 5;
    }
  }
};

struct Disturbance {
  std::string kind;
  uint64_t at = Never;
  uint64_t where(const char* wanted) const { return kind == wanted ? at : Never; }
};

struct Bench {
  Vdut& dut;
  Memory& memory;
  Dice dice;
  uint32_t program, bytes;
  int latency;
  Reader code, data;
  Writer writer;

  void half(bool level) {
    dut.aclk = level;
    dut.eval();
  }
  // Four cycles of reset: nothing is under way afterwards, in the memory neither.
  void reset() {
    dut.aresetn = 0;
    dut.s_axi_control_awvalid = dut.s_axi_control_wvalid = dut.s_axi_control_arvalid = 0;
    dut.m_axi_program_rvalid = dut.m_axi_data_rvalid = dut.m_axi_data_bvalid = 0;
    for (int i = 0; i < 4; i++) half(0), half(1);
    dut.aresetn = 1;
    dut.s_axi_control_araddr = 0x00;
    dut.s_axi_control_arvalid = dut.s_axi_control_rready = 1;
    half(0), half(1);
    dut.s_axi_control_arvalid = 0;
    half(0);
    if (!dut.s_axi_control_rvalid || dut.s_axi_control_rdata != 4) broken("the engine is not idle after reset");
    half(1);
    code = data = Reader();
    writer = Writer();
  }
  void cycle(uint64_t now, Control& control) {
    control.drive(now, dut);
    code.drive(now, dice, memory, dut.m_axi_program_arready, dut.m_axi_program_rvalid, dut.m_axi_program_rlast, dut.m_axi_program_rresp,
               dut.m_axi_program_rdata);
    data.drive(now, dice, memory, dut.m_axi_data_arready, dut.m_axi_data_rvalid, dut.m_axi_data_rlast, dut.m_axi_data_rresp,
               dut.m_axi_data_rdata);
    writer.drive(now, dice, dut);
    half(0);
    control.clock(dut);
    code.clock(now, latency, dut.m_axi_program_arvalid, dut.m_axi_program_araddr, dut.m_axi_program_arlen, dut.m_axi_program_rready);
    data.clock(now, latency, dut.m_axi_data_arvalid, dut.m_axi_data_araddr, dut.m_axi_data_arlen, dut.m_axi_data_rready);
    writer.clock(now, latency, memory, dut);
    half(1);
  }
  // False when the engine does not finish.
  bool run(uint64_t limit, const Disturbance& disturbance) {
    Control control{{{0x10, program}, {0x18, bytes}, {0x00, 1}}, disturbance.where("start")};
    code.answered = data.answered = writer.answered = 0;
    code.wrong = disturbance.where("program");
    data.wrong = disturbance.where("read");
    writer.wrong = disturbance.where("write");
    for (uint64_t now = 0; now < limit && !control.finished; now++) {
      if (now == disturbance.where("reset")) return reset(), true;
      cycle(now, control);
    }
    const uint32_t* seen = control.seen;
    const unsigned long long cycles = seen[1] | static_cast<uint64_t>(seen[2]) << 32;
    std::printf("%llu %u %u\n", cycles, seen[4], seen[3]);
    return control.finished;
  }
};

static bool read(const char* path, Memory& memory) {
  std::FILE* f = std::fopen(path, "rb");
  if (!f) return false;
  std::fseek(f, 0, SEEK_END);
  memory.resize(std::ftell(f));
  std::rewind(f);
  const bool whole = std::fread(memory.data(), 1, memory.size(), f) == memory.size();
  std::fclose(f);
  return whole;
}

int main(int argc, char** argv) {
  Memory image;
  if ((argc != 9 && argc != 11) || !read(argv[1], image)) return 1;
  const int seed = std::atoi(argv[7]);
  VerilatedContext context;
  context.randReset(2);  // registers and memories start with random bits, as far as the design lets them
  context.randSeed(seed % 2147483646 + 1);
  Vdut dut(&context);
  Memory memory = image;
  const uint32_t program = std::strtoul(argv[3], nullptr, 0), bytes = std::strtoul(argv[4], nullptr, 0);
  Bench bench{dut, memory, Dice{std::mt19937(seed), std::atof(argv[6])}, program, bytes, std::atoi(argv[5]), {}, {}, {}};
  const uint64_t limit = std::strtoull(argv[8], nullptr, 0);
  bench.reset();
  bool finished = true;
  if (argc == 11) {
    finished = bench.run(limit, {argv[9], std::strtoull(argv[10], nullptr, 0)});
    memory = image;
  }
  finished = finished && bench.run(limit, {});
  dut.final();
  std::FILE* f = std::fopen(argv[2], "wb");
  if (!f || std::fwrite(memory.data(), 1, memory.size(), f) != memory.size() || std::fclose(f) != 0) return 1;
  return finished ? 0 : 2;
}
