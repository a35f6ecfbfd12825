// A strict stand-in for hls_stream.h: blocking read and write, which the HLS tool provides, and nothing else. For the conformance check alone.
#pragma once

namespace hls {

template <class T>
class stream {
 public:
  stream() {}
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  T read();
  void write(const T& value);

 private:
  int port_ = 0;
};

}  // namespace hls
