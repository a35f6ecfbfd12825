// A strict stand-in for hls_stream.h: blocking read and write, which the HLS tool provides, and nothing else; with DFC_POLLS, for the core
// of the loopback engine, a read that does not wait. For the conformance check alone.
#pragma once

namespace hls {

template <class T>
class stream {
 public:
  stream() {}
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  T read();
#if defined(DFC_POLLS) && defined(__BAMBU__)
  bool nb_read(T& value);
#elif defined(DFC_POLLS)
  bool read_nb(T& value);
#endif
  void write(const T& value);

 private:
  int port_ = 0;
};

}  // namespace hls
