// What generated files need: pragmas of tops.
#pragma once

#include "dfc_common.hpp"

#define DFC_DATAFLOW DFC_PRAGMA(HLS dataflow)
#define DFC_STREAM(Variable, Depth) DFC_PRAGMA(HLS stream variable = Variable depth = Depth)
