// Gives the pragmas of loops and dependences a meaning that a run can measure: included in place of the macros of dfc_common.hpp.
// watch.cpp sees every access to memory, as g++ reports them for a thread sanitizer.
#pragma once

struct WatchedArray;
WatchedArray* watch_begin(const char* name, const void* at, unsigned long bytes, long distance, const long* iteration);
void watch_end(WatchedArray* array);

// An array is watched from the pragma to the end of the iteration.
struct Watching {
  WatchedArray* array;
  Watching(const char* name, const void* at, unsigned long bytes, long distance, const long* iteration)
      : array(watch_begin(name, at, bytes, distance, iteration)) {}
  ~Watching() { watch_end(array); }
};

#define DFC_PIPELINE(Ii)          \
  static long dfc_iteration = 0;  \
  dfc_iteration++;
#define DFC_DISTANCE(Array, Count) const Watching dfc_watching_##Array(#Array, &Array, sizeof(Array), Count, &dfc_iteration);
