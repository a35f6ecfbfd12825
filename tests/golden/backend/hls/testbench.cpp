// Test bench of Residual-1.
// Without arguments: runs the frames of vectors/ and compares; exit code 1 when a beat differs.
// testbench IN_FILE OUT_FILE: reads the inputs, writes what comes out.
#include "dfc_testbench.hpp"
#include "residual_1.hpp"

int main(int argc, char** argv) {
  if (argc != 1 && argc != 3) dfc::give_up("wrong number of files");
  const bool golden = argc == 1;
  const dfc::frames_t Batch = 4;  // frames of a call
  dfc::BeatFile<6> in_file(golden ? "vectors/s_axis.hex" : argv[1], "rb");
  hls::stream<ap_uint<6>> in("in");
  dfc::BeatFile<8> out_file(golden ? "vectors/m_axis.hex" : argv[2], golden ? "rb" : "wb");
  hls::stream<ap_uint<8>> out("out");
  long frame = 0, wrong = 0;
  for (dfc::frames_t frames = Batch; frames == Batch; frame += frames) {
    frames = 0;
    while (frames < Batch && in_file.feed(in, 36)) ++frames;
    residual_1(in, out, frames);
    if (golden) wrong += out_file.compare(out, 36, frame, frames);
    else out_file.drain(out, 36, frame, frames);
    if (!in.empty()) dfc::give_up("in: frame " + std::to_string(frame + frames - 1) + " was not read to its end");
  }
  if (golden) std::printf("%ld frames, %ld beats differ\n", frame, wrong);
  return wrong != 0;
}
