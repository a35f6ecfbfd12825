// What generated files need: pragmas of tops.
#pragma once

#include "dfc_common.hpp"

// A region of functions that run at once: DFC_DATAFLOW, its streams, DFC_PROCESS(call) for each, DFC_JOIN. The streams in simulation/
// hold no more than hardware does, so each call is a fiber there.
#ifdef DFC_FIBERS
#define DFC_DATAFLOW dfc::Region dfc_region;
#define DFC_STREAM(Variable, Depth) Variable.bound(Depth, #Variable);
#define DFC_PROCESS(...) dfc_region.start(#__VA_ARGS__, [&] { __VA_ARGS__; });
#define DFC_JOIN dfc_region.run();
#else
#define DFC_DATAFLOW DFC_PRAGMA(HLS dataflow)
#define DFC_STREAM(Variable, Depth) DFC_PRAGMA(HLS stream variable = Variable depth = Depth)
#define DFC_PROCESS(...) __VA_ARGS__;
#define DFC_JOIN
#endif
#define DFC_BIND_FIFO(Variable, Impl) DFC_PRAGMA(HLS bind_storage variable = Variable type = fifo impl = Impl)
