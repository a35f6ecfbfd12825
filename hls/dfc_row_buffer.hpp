// Rows that are kept until something of them as a whole is known. Of two pages one comes in while the other goes out, so that what a step
// reads was written Beats iterations before.
#pragma once

#include "dfc_pace.hpp"
#include "dfc_storage.hpp"

namespace dfc {

// The loop of such a unit: of Rows rows each iteration takes a beat, gives a beat of the row before, or both.
template <long Rows, int Beats>
using RowPace = Pace<Rows * Beats, Rows * Beats, Beats>;

}  // namespace dfc
