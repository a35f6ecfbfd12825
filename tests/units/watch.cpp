// Measures in how many iterations a read follows the write of what it reads, for the arrays of DFC_DISTANCE. Prints of each array the
// distance that is promised and the least that was seen, -1 for none; stops the program with status 7 where a promise is broken.
// Compiled without a sanitizer; the functions below are called by code that was compiled with -fsanitize=thread.
#include "watch.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

struct WatchedArray {
  const char* name;
  std::uintptr_t begin;
  long distance;
  const long* iteration;
  std::vector<long> written;  // iteration, by byte; 0 for never
  long least = -1;
  bool active = false;
};

namespace {

std::map<std::uintptr_t, WatchedArray>& arrays() {
  static std::map<std::uintptr_t, WatchedArray> found;
  return found;
}

void report() {
  for (const auto& item : arrays()) std::printf("%s %ld %ld\n", item.second.name, item.second.distance, item.second.least);
}

void access(const void* address, unsigned long bytes, bool writes) {
  const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(address);
  for (auto& item : arrays()) {
    WatchedArray& array = item.second;
    if (!array.active || at + bytes <= array.begin || at >= array.begin + array.written.size()) continue;
    for (std::uintptr_t i = at - array.begin; i < at - array.begin + bytes; i++) {
      if (writes) {
        array.written[i] = *array.iteration;
      } else if (array.written[i]) {
        const long seen = *array.iteration - array.written[i];
        if (seen == 0) continue;  // its own iteration's value: no dependence between iterations
        if (array.least < 0 || seen < array.least) array.least = seen;
        if (seen < array.distance) {
          std::fprintf(stderr, "%s is read %ld iterations after it was written, not %ld", array.name, seen, array.distance);
          std::_Exit(7);
        }
      }
    }
  }
}

}  // namespace

WatchedArray* watch_begin(const char* name, const void* at, unsigned long bytes, long distance, const long* iteration) {
  const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(at);
  if (arrays().empty()) std::atexit(report);
  WatchedArray& array = arrays().emplace(begin, WatchedArray{name, begin, distance, iteration, std::vector<long>(bytes)}).first->second;
  array.active = true;
  return &array;
}

void watch_end(WatchedArray* array) { array->active = false; }

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit(void*) {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_read_range(void* at, unsigned long bytes) { access(at, bytes, false); }
void __tsan_write_range(void* at, unsigned long bytes) { access(at, bytes, true); }
#define SIZE(Bytes)                                                            \
  void __tsan_read##Bytes(void* at) { access(at, Bytes, false); }              \
  void __tsan_write##Bytes(void* at) { access(at, Bytes, true); }              \
  void __tsan_unaligned_read##Bytes(void* at) { access(at, Bytes, false); }    \
  void __tsan_unaligned_write##Bytes(void* at) { access(at, Bytes, true); }
SIZE(1)
SIZE(2)
SIZE(4)
SIZE(8)
SIZE(16)
// Guards of static variables.
char __tsan_atomic8_load(const volatile char* at, int) { return *at; }
}
