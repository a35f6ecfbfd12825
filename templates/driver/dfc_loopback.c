/* See dfc_loopback.h. */
#include "dfc_loopback.h"

#include <string.h>

/* Code at a place of what the engine reads: of the frame itself, or of its windows, in whole rows or as a whole side by side, beyond its edges the pad. */
static int64_t placed(const dfc_port *p, const dfc_code *frame, size_t place) {
  const struct dfc_layout *l = p->layout;
  size_t depth, row, column, tap, y, x;
  if (!l->kernel) return frame[place];
  depth = l->rows * l->kernel * p->channels;
  row = place / (l->columns * depth);
  column = place / depth % l->columns;
  tap = place % depth / p->channels;
  y = row * l->row_stride + tap / l->kernel * l->row_dilation;
  x = column * l->stride + tap % l->kernel * l->dilation;
  if (x < l->left || x - l->left >= l->picture || y < l->top || y - l->top >= l->tall) return l->pad;
  return frame[((y - l->top) * l->picture + x - l->left) * p->channels + place % p->channels];
}

int dfc_pack(const dfc_port *p, const dfc_code *codes, uint8_t *images, size_t frames) {
  const struct dfc_layout *l = p->layout;
  memset(images, 0, frames * l->bytes);
  for (size_t i = 0; i < frames * p->elements; ++i) {
    if (codes[i] < p->lo || codes[i] > p->hi) return DFC_RANGE;
  }
  for (size_t f = 0; f < frames; ++f, codes += p->elements, images += l->bytes) {
    size_t at = 0; /* digit of the frame */
    for (size_t plane = 0; plane < l->planes; ++plane) {
      for (size_t pixel = 0; pixel < l->height * l->width; ++pixel) {
        for (size_t s = 0; s < l->slot_count; ++s, ++at) {
          uint64_t digit;
          if (l->slots[s] < 0) continue;
          digit = (uint64_t)(placed(p, codes, pixel * l->channels + (size_t)l->slots[s]) - l->base) >> l->bits * plane;
          if (plane + 1 < l->planes) digit ^= UINT64_C(1) << (l->bits - 1); /* every digit but the highest has its top bit inverted */
          digit &= (UINT64_C(1) << l->bits) - 1;
          images[at * l->bits / 8] |= (uint8_t)(digit << at * l->bits % 8);
        }
      }
    }
  }
  return DFC_OK;
}

int dfc_unpack(const dfc_port *p, const uint8_t *images, dfc_code *codes, size_t frames) {
  const struct dfc_layout *l = p->layout;
  for (size_t f = 0; f < frames; ++f, codes += p->elements, images += l->bytes) {
    for (size_t y = 0; y < l->height; ++y) {
      for (size_t x = 0; x < l->width; ++x) {
        for (size_t s = 0; s < l->slot_count; ++s) {
          const size_t word = l->start + y * l->row + x * l->col + s / l->lanes;
          int64_t code = l->shift;
          if (l->slots[s] < 0) continue;
          for (size_t plane = 0; plane < l->planes; ++plane) {
            const size_t at = (word + plane * l->plane) * l->lanes + s % l->lanes;
            const int64_t half = (int64_t)1 << (l->bits - 1), digit = images[at * l->bits / 8] >> at * l->bits % 8 & (2 * half - 1);
            code += (digit < half ? digit : digit - 2 * half) * ((int64_t)1 << l->bits * plane);
          }
          codes[(y * l->width + x) * l->channels + (size_t)l->slots[s]] = (dfc_code)code;
        }
      }
    }
  }
  return DFC_OK;
}

int dfc_engine_open(dfc_engine *e) {
  uint8_t *at = e->memory + DFC_PROGRAM_ADDRESS;
  const uint8_t *const end = at + DFC_PROGRAM_BYTES;
  if (e->base % DFC_PAGE) return DFC_ADDRESS;
  for (; at < end; at += dfc_descriptor_bytes[*at & 15]) {
    uint64_t carry = e->base / DFC_PAGE;
    if (!(DFC_MOVING >> (*at & 15) & 1)) continue;
    for (size_t i = DFC_PAGE_BYTE; carry; ++i, carry >>= 8) { /* a number of pages is added to the descriptor's address */
      carry += at[i];
      at[i] = (uint8_t)(carry & 255);
    }
  }
  return DFC_OK;
}

void dfc_engine_reset(const dfc_engine *e) {
  memcpy(e->memory + DFC_STATES_ADDRESS, e->memory + DFC_STATES_FIRST, DFC_STATES_BYTES);
}

static uint32_t get(const dfc_engine *e, uint64_t offset) { return e->read(e->context, e->core + offset); }
static void put(const dfc_engine *e, uint64_t offset, uint32_t value) { e->write(e->context, e->core + offset, value); }

void dfc_engine_start(const dfc_engine *e) {
  if (e->flush) e->flush(e->context);
  put(e, DFC_REGISTER_PROGRAM, (uint32_t)(e->base + DFC_PROGRAM_ADDRESS));
  put(e, DFC_REGISTER_BYTES, DFC_PROGRAM_BYTES);
  put(e, DFC_REGISTER_CONTROL, 1);
}

int dfc_engine_wait(dfc_engine *e) {
  uint32_t i = 0;
  while (!(get(e, DFC_REGISTER_CONTROL) & 2)) {
    if (++i >= e->polls) return DFC_TIMEOUT;
  }
  e->error = get(e, DFC_REGISTER_ERROR);
  e->index = get(e, DFC_REGISTER_INDEX);
  if (e->error) return DFC_ENGINE;
  e->cycles = get(e, DFC_REGISTER_CYCLES_LOW) | (uint64_t)get(e, DFC_REGISTER_CYCLES_HIGH) << 32;
  if (e->invalidate) e->invalidate(e->context);
  return DFC_OK;
}

int dfc_engine_execute(dfc_engine *e) {
  dfc_engine_start(e);
  return dfc_engine_wait(e);
}

static size_t left(size_t frames, size_t run) { return frames - run * DFC_BATCH < DFC_BATCH ? frames - run * DFC_BATCH : DFC_BATCH; }

/* Frames of a run into the memory of its engine, which begins. */
static int give(dfc_engine *e, const dfc_code *const *in, size_t run, size_t count) {
  for (size_t i = 0; i < DFC_INPUTS; ++i) {
    const dfc_port *p = &dfc_inputs[i];
    const int error = dfc_pack(p, in[i] + run * DFC_BATCH * p->elements, e->memory + p->layout->address, count);
    if (error) return error;
  }
  dfc_engine_start(e);
  return DFC_OK;
}

/* The results of a run, when it is done. */
static int take(dfc_engine *e, dfc_code *const *out, size_t run, size_t count) {
  int error = dfc_engine_wait(e);
  for (size_t i = 0; i < DFC_OUTPUTS && !error; ++i) {
    const dfc_port *p = &dfc_outputs[i];
    error = dfc_unpack(p, e->memory + p->layout->address, out[i] + run * DFC_BATCH * p->elements, count);
  }
  return error;
}

int dfc_run_all(dfc_engine *engines, size_t count, const dfc_code *const *in, dfc_code *const *out, size_t frames) {
  const size_t runs = (frames + DFC_BATCH - 1) / DFC_BATCH;
  size_t begun = 0, taken = 0;
  int error = DFC_OK;
  while (taken < runs && !error) {
    if (begun < runs && begun < taken + count) {
      error = give(&engines[begun % count], in, begun, left(frames, begun));
      if (!error) ++begun;
    } else {
      error = take(&engines[taken % count], out, taken, left(frames, taken));
      ++taken;
    }
  }
  for (; taken < begun; ++taken) take(&engines[taken % count], out, taken, left(frames, taken));
  return error;
}

int dfc_run(dfc_engine *e, const dfc_code *const *in, dfc_code *const *out, size_t frames) {
  return dfc_run_all(e, 1, in, out, frames);
}
