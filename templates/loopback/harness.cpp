// Runs the loopback engine on a memory image: AXI4 memory of fixed latency, or with random stalls on every channel.
// usage: harness IMAGE OUT PROGRAM_ADDRESS PROGRAM_BYTES LATENCY STALLS SEED MAX_CYCLES
// Writes the memory after the run to OUT, and "cycles error index" of the registers to the standard output.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>
#include <vector>
#include "Vdut.h"
#include "verilated.h"

using Memory = std::vector<uint8_t>;
static const int Bytes = BUS_BITS / 8;

static void put(CData& port, const uint8_t* from) { std::memcpy(&port, from, 1); }
static void put(IData& port, const uint8_t* from) { std::memcpy(&port, from, Bytes); }
static void put(QData& port, const uint8_t* from) { std::memcpy(&port, from, Bytes); }
template <std::size_t N>
static void put(VlWide<N>& port, const uint8_t* from) { std::memcpy(port.data(), from, Bytes); }
static void get(const IData& port, uint8_t* to) { std::memcpy(to, &port, Bytes); }
static void get(const QData& port, uint8_t* to) { std::memcpy(to, &port, Bytes); }
template <std::size_t N>
static void get(const VlWide<N>& port, uint8_t* to) { std::memcpy(to, port.data(), Bytes); }

struct Burst {
  uint64_t ready;
  uint32_t address;
  int beats;
};

struct Dice {
  std::mt19937 engine;
  double stalls;
  bool operator()() { return stalls > 0 && std::uniform_real_distribution<>(0, 1)(engine) < stalls; }
};

// One read channel: bursts are answered in order, the first word `latency` cycles after the request at the earliest.
struct Reader {
  std::deque<Burst> bursts;
  bool valid = false, ready = false;
  template <class Data>
  void drive(uint64_t now, Dice& dice, const Memory& memory, CData& arready, CData& rvalid, CData& rlast, CData& rresp, Data& rdata) {
    if (!ready) ready = !dice();
    arready = ready;
    if (!valid && !bursts.empty() && bursts.front().ready <= now) valid = !dice();
    rvalid = valid;
    rresp = 0;
    if (!valid) return;
    const Burst& b = bursts.front();
    rlast = b.beats == 1;
    if (b.address + Bytes > memory.size()) rresp = 2;
    else put(rdata, &memory[b.address]);
  }
  void clock(uint64_t now, int latency, CData arvalid, IData araddr, CData arlen, CData rready) {
    if (valid && rready) {
      bursts.front().address += Bytes;
      if (--bursts.front().beats == 0) bursts.pop_front();
      valid = false;
    }
    if (ready && arvalid) {
      bursts.push_back({now + latency, araddr, arlen + 1});
      ready = false;
    }
  }
};

int main(int argc, char** argv) {
  if (argc != 9) return 1;
  Memory memory;
  if (FILE* f = std::fopen(argv[1], "rb")) {
    std::fseek(f, 0, SEEK_END);
    memory.resize(std::ftell(f));
    std::rewind(f);
    if (std::fread(memory.data(), 1, memory.size(), f) != memory.size()) return 1;
    std::fclose(f);
  } else {
    return 1;
  }
  const uint32_t program = std::strtoul(argv[3], nullptr, 0), bytes = std::strtoul(argv[4], nullptr, 0);
  const int latency = std::atoi(argv[5]);
  Dice dice{std::mt19937(std::atoi(argv[7])), std::atof(argv[6])};
  const uint64_t limit = std::strtoull(argv[8], nullptr, 0);
  VerilatedContext context;
  Vdut dut(&context);
  Reader code, data;
  std::deque<Burst> writes;
  std::deque<uint64_t> answers;
  bool awready = false, wready = false, bvalid = false;
  uint64_t now = 0;
  // AXI4-Lite: writes the two program registers and starts, then reads status, cycles and index.
  const uint32_t script[][2] = {{0x08, program}, {0x0c, bytes}, {0x00, 1}};
  int written = 0, state = 0;
  uint32_t seen[4] = {0, 0, 0, 0};
  const uint32_t read_at[4] = {0x04, 0x10, 0x14, 0x18};
  int reading = 0;
  bool asked = false, finished = false;
  dut.rst_ni = 0;
  for (; now < limit && !finished; now++) {
    dut.clk_i = 0;
    dut.rst_ni = now >= 4;
    const bool write = now >= 6 && state == 0 && written < 3;
    dut.s_axi_control_awvalid = dut.s_axi_control_wvalid = write;
    if (write) {
      dut.s_axi_control_awaddr = script[written][0];
      dut.s_axi_control_wdata = script[written][1];
    }
    dut.s_axi_control_bready = dut.s_axi_control_rready = 1;
    const bool read = written == 3 && !asked;
    dut.s_axi_control_arvalid = read;
    dut.s_axi_control_araddr = read_at[reading];
    code.drive(now, dice, memory, dut.m_axi_program_arready, dut.m_axi_program_rvalid, dut.m_axi_program_rlast, dut.m_axi_program_rresp,
               dut.m_axi_program_rdata);
    data.drive(now, dice, memory, dut.m_axi_data_arready, dut.m_axi_data_rvalid, dut.m_axi_data_rlast, dut.m_axi_data_rresp,
               dut.m_axi_data_rdata);
    if (!awready) awready = !dice();
    if (!wready) wready = !dice();
    if (!bvalid && !answers.empty() && answers.front() <= now) bvalid = !dice();
    dut.m_axi_data_awready = awready;
    dut.m_axi_data_wready = wready && !writes.empty();
    dut.m_axi_data_bvalid = bvalid;
    dut.m_axi_data_bresp = 0;
    dut.eval();
    const bool aw = dut.m_axi_data_awvalid && awready, w = dut.m_axi_data_wvalid && dut.m_axi_data_wready;
    if (w) {
      Burst& b = writes.front();
      if (b.address + Bytes <= memory.size()) get(dut.m_axi_data_wdata, &memory[b.address]);
      b.address += Bytes;
      if ((--b.beats == 0) != (dut.m_axi_data_wlast != 0)) return 3;
      if (b.beats == 0) {
        writes.pop_front();
        answers.push_back(now + latency);
      }
      wready = false;
    }
    if (bvalid) {
      answers.pop_front();
      bvalid = false;
    }
    if (aw) {
      writes.push_back({now, dut.m_axi_data_awaddr, dut.m_axi_data_awlen + 1});
      awready = false;
    }
    const CData code_ar = dut.m_axi_program_arvalid, data_ar = dut.m_axi_data_arvalid;
    const IData code_addr = dut.m_axi_program_araddr, data_addr = dut.m_axi_data_araddr;
    const CData code_len = dut.m_axi_program_arlen, data_len = dut.m_axi_data_arlen;
    const CData code_r = dut.m_axi_program_rready, data_r = dut.m_axi_data_rready;
    if (dut.rst_ni) {
      if (write && dut.s_axi_control_awready) state = 1;
      else if (state == 1 && dut.s_axi_control_bvalid) {
        state = 0;
        written++;
      }
      if (read && dut.s_axi_control_arready) asked = true;
      if (asked && dut.s_axi_control_rvalid) {
        asked = false;
        seen[reading] = dut.s_axi_control_rdata;
        if (reading || (seen[0] & 2)) finished = ++reading == 4;
      }
    }
    dut.clk_i = 1;
    dut.eval();
    if (dut.rst_ni) {
      code.clock(now, latency, code_ar, code_addr, code_len, code_r);
      data.clock(now, latency, data_ar, data_addr, data_len, data_r);
    }
  }
  dut.final();
  std::printf("%llu %u %u\n", static_cast<unsigned long long>(seen[1] | static_cast<uint64_t>(seen[2]) << 32), seen[0] >> 8 & 15, seen[3]);
  if (FILE* f = std::fopen(argv[2], "wb")) {
    std::fwrite(memory.data(), 1, memory.size(), f);
    std::fclose(f);
  }
  return finished ? 0 : 2;
}
