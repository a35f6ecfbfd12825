// Test bench of Residual-1.
// Without arguments: runs the frames of vectors/ and compares; exit code 1 when a beat differs.
// testbench IN_FILE OUT_FILE: reads the inputs, writes what comes out.
// --seed=N before them: units take turns at random, as N has it, and streams are as deep as in hardware, as they are without arguments.
#include "dfc_testbench.hpp"
#include "residual_1.hpp"

int main(int argc, char** argv) {
  dfc::take_seed(argc, argv);
  if (argc != 1 && argc != 3) dfc::give_up("wrong number of files");
  const bool golden = argc == 1;
  if (golden) dfc::take_turns(1);
  const dfc::frames_t Batch = 4;  // frames of a call
  dfc::BeatFile<6, 8> in_file(golden ? "vectors/s_axis.hex" : argv[1], "rb");
  hls::stream<dfc::AxiBeat<8>> s_axis;
  dfc::BeatFile<8, 8> out_file(golden ? "vectors/m_axis.hex" : argv[2], golden ? "rb" : "wb");
  hls::stream<dfc::AxiBeat<8>> m_axis;
  long frame = 0, wrong = 0;
  std::uint32_t version = 0, hash_low = 0, hash_high = 0;
  for (dfc::frames_t frames = Batch; frames == Batch; frame += frames) {
    frames = 0;
    while (frames < Batch && in_file.feed(s_axis, 36)) ++frames;
    if (frames == 0) break;
    residual_1(s_axis, m_axis, frames, version, hash_low, hash_high);
    if (version != 0x00010000u || hash_low != 0xc242cbeau || hash_high != 0x840c27b7u)
      dfc::give_up("the registers are those of another design");
    if (golden) wrong += out_file.compare(m_axis, 36, frame, frames);
    else out_file.drain(m_axis, 36, frame, frames);
    if (!s_axis.empty()) dfc::give_up("in: frame " + std::to_string(frame + frames - 1) + " was not read to its end");
  }
  if (golden) std::printf("%ld frames, %ld beats differ\n", frame, wrong);
  return wrong != 0;
}
