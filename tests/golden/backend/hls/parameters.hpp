// Parameters of the units of Residual-1.
#pragma once

namespace split_up_parameters {
constexpr int Beats = 36;
constexpr int Width = 6;
}

namespace window_3x3_parameters {
constexpr int Height = 6;
constexpr int Width = 6;
constexpr int Channels = 2;
constexpr int KernelH = 3;
constexpr int KernelW = 3;
constexpr int StrideH = 1;
constexpr int StrideW = 1;
constexpr int DilationH = 1;
constexpr int DilationW = 1;
constexpr int StuffH = 1;
constexpr int StuffW = 1;
constexpr int PadTop = 1;
constexpr int PadLeft = 1;
constexpr int CropTop = 0;
constexpr int CropLeft = 0;
constexpr int OutHeight = 6;
constexpr int OutWidth = 6;
constexpr int Groups = 1;
constexpr int Simd = 2;
constexpr int InBits = 3;
constexpr int InSigned = 0;
constexpr int InBipolar = 0;
constexpr int OutBits = 3;
constexpr int OutBipolar = 0;
constexpr int PadValue = 0;
constexpr int Depth = 15;
constexpr int RamStyle = 2;
constexpr int Lead = 8;
constexpr int Lag = 4;
}

namespace pool_parameters {
constexpr int Mode = 0;
constexpr int Positions = 36;
constexpr int K = 9;
constexpr int Folds = 1;
constexpr int Pe = 2;
constexpr int InBits = 3;
constexpr int InSigned = 0;
constexpr int InBipolar = 0;
constexpr int OutBits = 3;
constexpr int OutBipolar = 0;
}

namespace add_parameters {
constexpr int Beats = 36;
constexpr int Lanes = 2;
constexpr int Bits0 = 3;
constexpr int Signed0 = 0;
constexpr int Bipolar0 = 0;
constexpr int Factor0Low = 1;
constexpr int Factor0High = 0;
constexpr int Factor0Negative = 0;
constexpr int Bits1 = 3;
constexpr int Signed1 = 0;
constexpr int Bipolar1 = 0;
constexpr int Factor1Low = 1;
constexpr int Factor1High = 0;
constexpr int Factor1Negative = 0;
constexpr int OffsetLow = 0;
constexpr int OffsetHigh = 0;
constexpr int OffsetNegative = 0;
constexpr int OutBits = 4;
}
