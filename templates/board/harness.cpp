// The top level of a board at the level of its pins: bytes from the standard input go over the serial line bit by bit.
// usage: harness DIVISOR (cycles a bit). Commands, numbers in little-endian 32 bits:
//   'w' COUNT BYTE...   send bytes;   'r' COUNT CYCLES   wait for bytes, at most so many cycles for each, and answer COUNT BYTE...
//   'i' CYCLES          let the line rest;   'b' CYCLES   hold the line low (a break)
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>

#include "Vdut.h"
#include "verilated.h"

namespace {

Vdut* dut;
unsigned divisor;
std::deque<uint8_t> received;
unsigned left = 0, bits = 0, byte = 0;  // of the byte that is coming

void cycle() {
  dut->clk_i = 0;
  dut->eval();
  dut->clk_i = 1;
  dut->eval();
  const bool line = dut->tx_o & 1;
  if (bits == 0) {
    if (!line) bits = 10, left = divisor / 2, byte = 0;
    return;
  }
  if (--left) return;
  left = divisor;
  if (bits <= 9 && bits > 1) byte |= unsigned(line) << (9 - bits);
  if (--bits == 0) {
    if (!line) std::fprintf(stderr, "the board sent no stop bit\n"), std::exit(3);
    received.push_back(byte);
  }
}

void hold(bool line, uint64_t cycles) {
  dut->rx_i = line;
  for (uint64_t i = 0; i < cycles; ++i) cycle();
}

void send(uint8_t value) {
  hold(false, divisor);
  for (int i = 0; i < 8; ++i) hold(value >> i & 1, divisor);
  hold(true, divisor);
}

uint32_t number() {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value |= uint32_t(std::getchar() & 255) << (8 * i);
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 4;
  divisor = std::strtoul(argv[1], nullptr, 10);
  VerilatedContext context;
  context.randReset(2);
  context.randSeed(1);
  dut = new Vdut{&context};
  hold(true, 64);
  for (int command; (command = std::getchar()) != EOF;) {
    const uint32_t count = number();
    if (command == 'w') {
      for (uint32_t i = 0; i < count; ++i) send(std::getchar());
    } else if (command == 'r') {
      const uint32_t cycles = number();
      for (uint32_t i = 0; i < cycles && received.size() < count; ++i) {
        const size_t before = received.size();
        hold(true, 1);
        if (received.size() != before) i = 0;
      }
      const uint32_t n = received.size() < count ? received.size() : count;
      for (int i = 0; i < 4; ++i) std::putchar(n >> (8 * i) & 255);
      for (uint32_t i = 0; i < n; ++i) std::putchar(received.front()), received.pop_front();
      std::fflush(stdout);
    } else {
      hold(command == 'i', count);
    }
  }
  dut->final();
  delete dut;
  return 0;
}
