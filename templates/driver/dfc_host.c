/* See dfc_host.h. */
#include "dfc_host.h"

#include <math.h>

static double rounded(double x, int mode) {
  const double size = fabs(x), whole = floor(size), part = size - whole;
  double even = whole;
  switch (mode) {
    case DFC_CEIL: return ceil(x);
    case DFC_FLOOR: return floor(x);
    case DFC_UP: return copysign(ceil(size), x);
    case DFC_DOWN: return trunc(x);
    case DFC_HALF_UP: return copysign(whole + (part >= 0.5), x);
    case DFC_HALF_DOWN: return copysign(whole + (part > 0.5), x);
    default: /* half to even, whatever the rounding mode of the processor is */
      if (part > 0.5 || (part == 0.5 && fmod(whole, 2.0) != 0.0)) even = whole + 1.0;
      return copysign(even, x);
  }
}

static double limited(double x, double least, double most) { return x < least ? least : x > most ? most : x; }

static size_t place(const dfc_index *index, size_t element) {
  int64_t found = 0;
  if (!index) return element;
  for (size_t axis = index->axes; axis-- > 0; element /= index->sizes[axis]) found += index->steps[axis][element % index->sizes[axis]];
  return (size_t)found;
}

int dfc_encode(const dfc_port *p, const float *reals, dfc_code *codes, size_t frames) {
  const int64_t rest = p->lo > 0 ? p->lo : p->hi < 0 ? p->hi : 0;
  if (p->quantized < 0) return DFC_HOST;
  for (size_t f = 0; f < frames; ++f, reals += p->items, codes += p->elements) {
    if (p->items != p->elements || p->index) {
      for (size_t i = 0; i < p->elements; ++i) codes[i] = (dfc_code)rest;
    }
    for (size_t i = 0; i < p->items; ++i) {
      double x = (double)reals[i];
      if (!p->quantized) {
        x = rounded((x - p->offset) / p->scale, DFC_ROUND);
      } else if (p->zero_after) {
        x = limited(rounded(x / p->scale, p->rounding) + p->zero, p->least, p->most);
      } else {
        x = rounded(limited(x / p->scale + p->zero, p->least, p->most), p->rounding);
      }
      if (!(x >= (double)p->lo && x <= (double)p->hi)) return DFC_RANGE;
      codes[place(p->index, i)] = (dfc_code)x;
    }
  }
  return DFC_OK;
}

int dfc_decode(const dfc_tensor *t, const dfc_port *p, const dfc_code *codes, double *reals, size_t frames) {
  for (size_t f = 0; f < frames; ++f, codes += p->elements) {
    for (size_t i = 0; i < t->elements; ++i) {
      const size_t at = place(t->index, i), channel = at % p->channels;
      const double scale = t->scale[t->scales > 1 ? channel : 0], offset = t->offset[t->offsets > 1 ? channel : 0];
      const double product = (double)codes[at] * scale;
      *reals++ = product + offset;
    }
  }
  return DFC_OK;
}
