// A strict stand-in for ap_int.h: only what the headers of Vitis HLS and of Bambu both have, with the same widths of results.
// For the conformance check alone. Absent on purpose: construction from text, floating point, constexpr use, a range assigned to a range,
// operator(), concatenation, division, reductions, to_string, streams. A complement has no width of its own (it differs between the two).
#pragma once

#include <type_traits>

template <int W>
struct ap_uint;
template <int W>
struct ap_int;
template <int W, bool S>
struct ap_int_base;

namespace ap_strict {

constexpr int larger(int a, int b) { return a > b ? a : b; }
constexpr int bits_both(int w1, bool s1, int w2, bool s2) { return larger(w1 + (s2 && !s1), w2 + (s1 && !s2)); }

template <class T>
struct native : std::enable_if<std::is_integral<T>::value, T> {
  static constexpr bool sign = std::is_signed<T>::value;
  static constexpr int width = std::is_same<T, bool>::value ? 1 : 8 * int(sizeof(T));
  using base = ap_int_base<width, sign>;
};
template <class T>
using if_native = typename native<T>::type;

// The bit pattern of a value of W bits; the conversion to built-in types is there up to 64 bits.
template <int W>
struct Pattern {
  static_assert(W >= 1, "ap_int: at least one bit");
  unsigned _BitInt(W) pattern;
};
template <int W, bool S, bool Small>
struct Storage : Pattern<W> {};
template <int W>
struct Storage<W, true, true> : Pattern<W> {
  operator long long() const { return static_cast<const ap_int_base<W, true>&>(*this).to_int64(); }
};
template <int W>
struct Storage<W, false, true> : Pattern<W> {
  operator unsigned long long() const { return static_cast<const ap_int_base<W, false>&>(*this).to_uint64(); }
};

template <int W>
struct Complement {
  unsigned _BitInt(W) pattern;
};

template <int W, bool S>
struct Range {
  ap_int_base<W, S>& word;
  int high, low;
  Range(ap_int_base<W, S>& w, int hi, int lo) : word(w), high(hi), low(lo) {}
  Range(const Range&) = default;
  static unsigned _BitInt(W) mask(int bits) { return (unsigned _BitInt(W))-1 >> (W - bits); }
  unsigned _BitInt(W) value() const { return (word.pattern >> low) & mask(high - low + 1); }
  template <int W2, bool S2>
  void operator=(const ap_int_base<W2, S2>& other) {
    const unsigned _BitInt(W) kept = mask(high - low + 1) << low;
    word.pattern = (word.pattern & ~kept) | (((unsigned _BitInt(W))other.value() << low) & kept);
  }
  template <class T, class = if_native<T>>
  void operator=(T other) {
    *this = typename native<T>::base(other);
  }
  template <int W2, bool S2>
  void operator=(const Range<W2, S2>&) = delete;
  void operator=(const Range&) = delete;
};

template <int W, bool S>
struct Bit {
  ap_int_base<W, S>& word;
  int at;
  operator bool() const { return (word.pattern >> at) & 1; }
  void operator=(bool value) { Range<W, S>(word, at, at) = value; }
};

}  // namespace ap_strict

template <int W, bool S>
struct ap_int_base : ap_strict::Storage<W, S, (W <= 64)> {
  using ap_strict::Pattern<W>::pattern;
  static constexpr int width = W;
  ap_int_base() = default;
  template <class T, class = ap_strict::if_native<T>>
  ap_int_base(T value) {
    pattern = (unsigned _BitInt(W))value;
  }
  template <int W2, bool S2>
  ap_int_base(const ap_int_base<W2, S2>& other) {
    pattern = (unsigned _BitInt(W))other.value();
  }
  template <int W2, bool S2>
  ap_int_base(const ap_strict::Range<W2, S2>& range) {
    pattern = (unsigned _BitInt(W))range.value();
  }
  template <int W2>
  ap_int_base(const ap_strict::Complement<W2>& other) {
    static_assert(W <= W2, "ap_int: a complement is not widened, its sign differs between the tools");
    pattern = (unsigned _BitInt(W))other.pattern;
  }

  // The value, with room for a sign.
  signed _BitInt(W + 1) value() const {
    if (!S) return (signed _BitInt(W + 1))pattern;
    return (signed _BitInt(W + 1))((unsigned _BitInt(W + 1))pattern << 1) >> 1;
  }
  int to_int() const { return int(value()); }
  unsigned to_uint() const { return unsigned(value()); }
  long long to_int64() const { return (long long)(value()); }
  unsigned long long to_uint64() const { return (unsigned long long)(value()); }

  ap_strict::Range<W, S> range(int high, int low) { return ap_strict::Range<W, S>(*this, high, low); }
  const ap_strict::Range<W, S> range(int high, int low) const {
    return ap_strict::Range<W, S>(const_cast<ap_int_base&>(*this), high, low);
  }
  ap_strict::Bit<W, S> operator[](int at) { return ap_strict::Bit<W, S>{*this, at}; }
  bool operator[](int at) const { return (pattern >> at) & 1; }
  bool operator!() const { return pattern == 0; }
  ap_strict::Complement<W> operator~() const { return ap_strict::Complement<W>{~pattern}; }
  ap_int_base<W + 1, true> operator-() const { return ap_int_base<1, false>(0) - *this; }
  ap_int_base shifted_left(int count) const {
    ap_int_base shifted;
    shifted.pattern = count >= W ? (unsigned _BitInt(W))0 : pattern << count;
    return shifted;
  }
  ap_int_base shifted_right(int count) const {
    ap_int_base shifted;
    shifted.pattern = (unsigned _BitInt(W))(value() >> (count >= W ? W : count));
    return shifted;
  }
  template <class T, class = ap_strict::if_native<T>>
  ap_int_base operator<<(T count) const {
    return shifted_left(int(count));
  }
  template <class T, class = ap_strict::if_native<T>>
  ap_int_base operator>>(T count) const {
    return shifted_right(int(count));
  }
  template <int W2, bool S2>
  ap_int_base operator<<(const ap_int_base<W2, S2>& count) const {
    return shifted_left(count.to_int());
  }
  template <int W2, bool S2>
  ap_int_base operator>>(const ap_int_base<W2, S2>& count) const {
    return shifted_right(count.to_int());
  }
  template <class T>
  ap_int_base& operator<<=(const T& count) {
    return *this = *this << count;
  }
  template <class T>
  ap_int_base& operator>>=(const T& count) {
    return *this = *this >> count;
  }
  template <class T>
  ap_int_base& operator+=(const T& other) {
    return *this = *this + other;
  }
  template <class T>
  ap_int_base& operator-=(const T& other) {
    return *this = *this - other;
  }
  template <class T>
  ap_int_base& operator*=(const T& other) {
    return *this = *this * other;
  }
  template <class T>
  ap_int_base& operator&=(const T& other) {
    return *this = *this & other;
  }
  template <class T>
  ap_int_base& operator|=(const T& other) {
    return *this = *this | other;
  }
  template <class T>
  ap_int_base& operator^=(const T& other) {
    return *this = *this ^ other;
  }
  ap_int_base& operator++() { return *this += 1; }
  ap_int_base& operator--() { return *this -= 1; }
  void operator++(int) { *this += 1; }
  void operator--(int) { *this -= 1; }
};

#define AP_STRICT_TYPE(Name, Sign)                                  \
  template <int W>                                                  \
  struct Name : ap_int_base<W, Sign> {                              \
    using Base = ap_int_base<W, Sign>;                              \
    Name() = default;                                               \
    template <class T, class = ap_strict::if_native<T>>             \
    Name(T value) : Base(value) {}                                  \
    template <int W2, bool S2>                                      \
    Name(const ap_int_base<W2, S2>& other) : Base(other) {}         \
    template <int W2, bool S2>                                      \
    Name(const ap_strict::Range<W2, S2>& range) : Base(range) {}    \
    template <int W2>                                               \
    Name(const ap_strict::Complement<W2>& other) : Base(other) {}   \
  };
AP_STRICT_TYPE(ap_uint, false)
AP_STRICT_TYPE(ap_int, true)
#undef AP_STRICT_TYPE

// An operator of two words, and of a word and a built-in integer.
#define AP_STRICT_MIXED(Operator, Result)                                                               \
  template <int W, bool S, class T, class = ap_strict::if_native<T>>                                    \
  Result operator Operator(const ap_int_base<W, S>& a, T b) {                                           \
    return a Operator typename ap_strict::native<T>::base(b);                                           \
  }                                                                                                     \
  template <int W, bool S, class T, class = ap_strict::if_native<T>>                                    \
  Result operator Operator(T a, const ap_int_base<W, S>& b) {                                           \
    return typename ap_strict::native<T>::base(a) Operator b;                                           \
  }
#define AP_STRICT_ARITHMETIC(Operator, Width, Sign)                                                     \
  template <int W1, bool S1, int W2, bool S2>                                                           \
  ap_int_base<Width, Sign> operator Operator(const ap_int_base<W1, S1>& a, const ap_int_base<W2, S2>& b) { \
    using Wide = signed _BitInt(Width + 1);                                                             \
    ap_int_base<Width, Sign> result;                                                                    \
    result.pattern = (unsigned _BitInt(Width))((Wide)a.value() Operator(Wide) b.value());               \
    return result;                                                                                      \
  }                                                                                                     \
  AP_STRICT_MIXED(Operator, auto)
#define AP_STRICT_COMPARISON(Operator)                                                                  \
  template <int W1, bool S1, int W2, bool S2>                                                           \
  bool operator Operator(const ap_int_base<W1, S1>& a, const ap_int_base<W2, S2>& b) {                  \
    using Wide = signed _BitInt(ap_strict::larger(W1, W2) + 1);                                         \
    return (Wide)a.value() Operator(Wide) b.value();                                                    \
  }                                                                                                     \
  AP_STRICT_MIXED(Operator, bool)
AP_STRICT_ARITHMETIC(+, (ap_strict::bits_both(W1, S1, W2, S2) + 1), (S1 || S2))
AP_STRICT_ARITHMETIC(-, (ap_strict::bits_both(W1, S1, W2, S2) + 1), true)
AP_STRICT_ARITHMETIC(*, (W1 + W2), (S1 || S2))
AP_STRICT_ARITHMETIC(&, (ap_strict::bits_both(W1, S1, W2, S2)), (S1 || S2))
AP_STRICT_ARITHMETIC(|, (ap_strict::bits_both(W1, S1, W2, S2)), (S1 || S2))
AP_STRICT_ARITHMETIC(^, (ap_strict::bits_both(W1, S1, W2, S2)), (S1 || S2))
AP_STRICT_COMPARISON(==)
AP_STRICT_COMPARISON(!=)
AP_STRICT_COMPARISON(<)
AP_STRICT_COMPARISON(<=)
AP_STRICT_COMPARISON(>)
AP_STRICT_COMPARISON(>=)
#undef AP_STRICT_COMPARISON
#undef AP_STRICT_ARITHMETIC
#undef AP_STRICT_MIXED
