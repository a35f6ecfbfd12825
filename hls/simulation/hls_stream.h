// hls::stream for compilers without a vendor's headers: a FIFO of the depth that its pragma gives it, between fibers.
#pragma once

#include "dfc_fibers.hpp"

#define DFC_FIBERS

namespace hls {

template <class T>
class stream : public dfc::Channel {
 public:
  T read() {
    before_read();
    T value = ring_[head_];
    head_ = next(head_);
    after_read();
    return value;
  }
  // Whether there was something.
  bool read_nb(T& value) {
    if (empty()) return false;
    value = read();
    return true;
  }
  void write(const T& value) {
    before_write();
    if (size() == ring_.size()) grow();
    ring_[tail_] = value;
    tail_ = next(tail_);
    after_write();
  }

 private:
  std::size_t next(std::size_t place) const { return place + 1 == ring_.size() ? 0 : place + 1; }
  void grow() {
    std::vector<T> larger(ring_.empty() ? 16 : 2 * ring_.size());
    for (std::size_t i = 0; i < size(); i++, head_ = next(head_)) larger[i] = ring_[head_];
    head_ = 0;
    tail_ = size();
    ring_.swap(larger);
  }

  std::vector<T> ring_;
  std::size_t head_ = 0, tail_ = 0;
};

}  // namespace hls
