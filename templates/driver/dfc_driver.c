/* See dfc_driver.h. */
#include "dfc_driver.h"

#include <math.h>
#include <string.h>

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
      codes[p->index ? p->index[i] : i] = (dfc_code)x;
    }
  }
  return DFC_OK;
}

/* Elements in a beat: runs have whole beats for all taps, then what is left over of the channels for all taps. */
static size_t filled(const dfc_port *p, size_t beat) {
  size_t whole, left;
  if (!p->run) return p->lanes;
  whole = p->run / p->lanes;
  left = p->run % p->lanes;
  return beat % ((whole + (left != 0)) * p->taps) < whole * p->taps ? p->lanes : left;
}

int dfc_pack(const dfc_port *p, const dfc_code *codes, uint8_t *beats, size_t frames) {
  const uint64_t mask = p->bits == 64 ? ~(uint64_t)0 : ((uint64_t)1 << p->bits) - 1;
  memset(beats, 0, frames * p->beats * p->bytes);
  for (size_t b = 0; b < frames * p->beats; ++b, beats += p->bytes) {
    const size_t used = filled(p, b % p->beats);
    size_t at = 0; /* bit */
    for (size_t lane = 0; lane < p->lanes; ++lane) {
      const int64_t code = lane < used ? (int64_t)*codes++ : p->hi;
      uint64_t pattern = p->bipolar ? (uint64_t)(code > 0) : (uint64_t)code & mask;
      if (code < p->lo || code > p->hi || (p->bipolar && !code)) return DFC_RANGE;
      for (int left = p->bits; left > 0;) {
        const int room = 8 - (int)(at % 8), take = left < room ? left : room;
        beats[at / 8] |= (uint8_t)(pattern << (at % 8));
        pattern >>= take;
        at += (size_t)take;
        left -= take;
      }
    }
  }
  return DFC_OK;
}

int dfc_unpack(const dfc_port *p, const uint8_t *beats, dfc_code *codes, size_t frames) {
  const uint64_t sign = (uint64_t)1 << (p->bits - 1);
  for (size_t b = 0; b < frames * p->beats; ++b, beats += p->bytes) {
    const size_t used = filled(p, b % p->beats);
    size_t at = 0;
    for (size_t lane = 0; lane < used; ++lane) {
      uint64_t pattern = 0;
      for (int got = 0; got < p->bits;) {
        const int room = 8 - (int)(at % 8), take = p->bits - got < room ? p->bits - got : room;
        pattern |= (uint64_t)(beats[at / 8] >> (at % 8) & ((1 << take) - 1)) << got;
        at += (size_t)take;
        got += take;
      }
      if (p->bipolar) {
        *codes++ = pattern ? 1 : -1;
      } else if (p->is_signed && pattern & sign) {
        *codes++ = (dfc_code)((int64_t)(pattern - sign) - (int64_t)(sign - 1) - 1);
      } else {
        *codes++ = (dfc_code)pattern;
      }
    }
  }
  return DFC_OK;
}

int dfc_decode(const dfc_tensor *t, const dfc_port *p, const dfc_code *codes, double *reals, size_t frames) {
  for (size_t f = 0; f < frames; ++f, codes += p->elements) {
    for (size_t i = 0; i < t->elements; ++i) {
      const size_t place = t->index ? t->index[i] : i, channel = place % p->channels;
      const double scale = t->scale[t->scales > 1 ? channel : 0], offset = t->offset[t->offsets > 1 ? channel : 0];
      const double product = (double)codes[place] * scale;
      *reals++ = product + offset;
    }
  }
  return DFC_OK;
}

int dfc_run(const dfc_io *io, const dfc_code *const *in, dfc_code *const *out, uint8_t *const *sent, uint8_t *const *received, size_t frames) {
  int error = DFC_OK;
  for (size_t i = 0; i < DFC_INPUTS && !error; ++i) error = dfc_pack(&dfc_inputs[i], in[i], sent[i], frames);
  if (!error) error = io->transfer(io->context, sent, received, frames);
  for (size_t i = 0; i < DFC_OUTPUTS && !error; ++i) error = dfc_unpack(&dfc_outputs[i], received[i], out[i], frames);
  return error;
}

/* Registers of the design (dfc_axi_batch.sv) and of an AXI DMA in simple mode (PG021). */
enum { CONTROL = 0x00, FRAMES = 0x10, HASH_LOW = 0x20, HASH_HIGH = 0x28 };
enum { SEND = 0x00, RECEIVE = 0x30, DMACR = 0x00, DMASR = 0x04, ADDRESS = 0x18, ADDRESS_HIGH = 0x1c, LENGTH = 0x28 };
enum { RUN = 1, HALTED = 1, IDLE = 2, ERRORS = 0x70 };

static uint32_t get(const dfc_axi *a, uint64_t address) { return a->read(a->context, address); }
static void put(const dfc_axi *a, uint64_t address, uint32_t value) { a->write(a->context, address, value); }

static int run_channel(const dfc_axi *a, uint64_t base) {
  put(a, base + DMACR, RUN);
  for (uint32_t i = 0; i < a->polls; ++i) {
    if (!(get(a, base + DMASR) & HALTED)) return DFC_OK;
  }
  return DFC_TIMEOUT;
}

int dfc_axi_open(const dfc_axi *a) {
  int error = DFC_OK;
  if (get(a, a->core + HASH_LOW) != (uint32_t)DFC_HASH || get(a, a->core + HASH_HIGH) != (uint32_t)(DFC_HASH >> 32)) return DFC_DESIGN;
  for (size_t i = 0; i < DFC_INPUTS && !error; ++i) error = run_channel(a, a->send[i] + SEND);
  for (size_t i = 0; i < DFC_OUTPUTS && !error; ++i) error = run_channel(a, a->receive[i] + RECEIVE);
  return error;
}

static void start(const dfc_axi *a, uint64_t base, const void *memory, size_t bytes) {
  const uint64_t address = a->physical(a->context, memory);
  put(a, base + ADDRESS, (uint32_t)address);
  put(a, base + ADDRESS_HIGH, (uint32_t)(address >> 32));
  put(a, base + LENGTH, (uint32_t)bytes); /* starts it */
}

static int finish(const dfc_axi *a, uint64_t base) {
  for (uint32_t i = 0; i < a->polls; ++i) {
    const uint32_t status = get(a, base + DMASR);
    if (status & ERRORS) return DFC_DMA;
    if (status & IDLE) return DFC_OK;
  }
  return DFC_TIMEOUT;
}

int dfc_axi_transfer(void *context, uint8_t *const *sent, uint8_t *const *received, size_t frames) {
  const dfc_axi *a = context;
  int error = DFC_OK;
  put(a, a->core + FRAMES, (uint32_t)frames);
  for (size_t i = 0; i < DFC_OUTPUTS; ++i) {
    start(a, a->receive[i] + RECEIVE, received[i], frames * dfc_outputs[i].beats * dfc_outputs[i].bytes);
  }
  put(a, a->core + CONTROL, 1); /* what an HLS design waits for */
  for (size_t i = 0; i < DFC_INPUTS; ++i) start(a, a->send[i] + SEND, sent[i], frames * dfc_inputs[i].beats * dfc_inputs[i].bytes);
  for (size_t i = 0; i < DFC_INPUTS && !error; ++i) error = finish(a, a->send[i] + SEND);
  for (size_t i = 0; i < DFC_OUTPUTS && !error; ++i) {
    const dfc_port *p = &dfc_outputs[i];
    error = finish(a, a->receive[i] + RECEIVE);
    if (!error && get(a, a->receive[i] + RECEIVE + LENGTH) != frames * p->beats * p->bytes) error = DFC_LENGTH;
  }
  return error;
}
