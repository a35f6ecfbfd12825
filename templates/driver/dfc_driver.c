/* See dfc_driver.h. */
#include "dfc_driver.h"

#include <string.h>

/* Elements in a beat: runs have whole beats for all taps, then what is left over of the channels for all taps. */
static size_t filled(const struct dfc_layout *p, size_t beat) {
  size_t whole, left;
  if (!p->run) return p->lanes;
  whole = p->run / p->lanes;
  left = p->run % p->lanes;
  return beat % ((whole + (left != 0)) * p->taps) < whole * p->taps ? p->lanes : left;
}

int dfc_pack(const dfc_port *p, const dfc_code *codes, uint8_t *beats, size_t frames) {
  const struct dfc_layout *l = p->layout;
  const uint64_t mask = p->bits == 64 ? ~(uint64_t)0 : ((uint64_t)1 << p->bits) - 1;
  memset(beats, 0, frames * l->beats * l->bytes);
  for (size_t b = 0; b < frames * l->beats; ++b, beats += l->bytes) {
    const size_t used = filled(l, b % l->beats);
    size_t at = 0; /* bit */
    for (size_t lane = 0; lane < l->lanes; ++lane) {
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
  const struct dfc_layout *l = p->layout;
  const uint64_t sign = (uint64_t)1 << (p->bits - 1);
  for (size_t b = 0; b < frames * l->beats; ++b, beats += l->bytes) {
    const size_t used = filled(l, b % l->beats);
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

int dfc_run(const dfc_io *io, const dfc_code *const *in, dfc_code *const *out, uint8_t *const *sent, uint8_t *const *received, size_t frames) {
  int error = DFC_OK;
  for (size_t i = 0; i < DFC_INPUTS && !error; ++i) {
    if (!dfc_inputs[i].fixed) error = dfc_pack(&dfc_inputs[i], in[i], sent[i], frames);
  }
  if (!error) error = io->transfer(io->context, sent, received, frames);
  for (size_t i = 0; i < DFC_OUTPUTS && !error; ++i) error = dfc_unpack(&dfc_outputs[i], received[i], out[i], frames);
  return error;
}

/* Registers of the design (dfc_axi_batch.sv) and of an AXI DMA in simple mode (PG021). */
enum { CONTROL = 0x00, FRAMES = 0x10, HASH_LOW = 0x20, HASH_HIGH = 0x28, RESTART = 0x40 };
enum { SEND = 0x00, RECEIVE = 0x30, DMACR = 0x00, DMASR = 0x04, ADDRESS = 0x18, ADDRESS_HIGH = 0x1c, LENGTH = 0x28 };
enum { RUN = 1, HALTED = 1, IDLE = 2, ERRORS = 0x70 };

static uint32_t get(const dfc_axi *a, uint64_t address) { return a->read(a->context, address); }
static void put(const dfc_axi *a, uint64_t address, uint32_t value) { a->write(a->context, address, value); }

void dfc_axi_reset(const dfc_axi *a) { put(a, a->core + RESTART, 1); }

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
#if DFC_STREAMING
  dfc_axi_reset(a);
#endif
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

static size_t size_of(const dfc_port *p, size_t frames) { return (p->fixed ? 1 : frames) * p->layout->beats * p->layout->bytes; }

/* Sends what is alike in each frame again, once it is done, until all frames had it; `polls` looks without a start are too many. */
static int repeat(const dfc_axi *a, uint8_t *const *sent, size_t frames) {
  size_t done[DFC_INPUTS], left = 0;
  for (size_t i = 0; i < DFC_INPUTS; ++i) {
    done[i] = dfc_inputs[i].fixed ? 1 : frames;
    left += frames - done[i];
  }
  for (uint32_t looks = 0; left; ++looks) {
    if (looks == a->polls) return DFC_TIMEOUT;
    for (size_t i = 0; i < DFC_INPUTS; ++i) {
      const uint32_t status = done[i] < frames ? get(a, a->send[i] + SEND + DMASR) : 0;
      if (status & ERRORS) return DFC_DMA;
      if (status & IDLE) {
        start(a, a->send[i] + SEND, sent[i], size_of(&dfc_inputs[i], 1));
        ++done[i];
        --left;
        looks = 0;
      }
    }
  }
  return DFC_OK;
}

int dfc_axi_transfer(void *context, uint8_t *const *sent, uint8_t *const *received, size_t frames) {
  const dfc_axi *a = context;
  int error = DFC_OK;
  put(a, a->core + FRAMES, (uint32_t)frames);
  for (size_t i = 0; i < DFC_OUTPUTS; ++i) {
    start(a, a->receive[i] + RECEIVE, received[i], size_of(&dfc_outputs[i], frames));
  }
  put(a, a->core + CONTROL, 1); /* what an HLS design waits for */
  for (size_t i = 0; i < DFC_INPUTS; ++i) start(a, a->send[i] + SEND, sent[i], size_of(&dfc_inputs[i], frames));
  error = repeat(a, sent, frames);
  for (size_t i = 0; i < DFC_INPUTS && !error; ++i) error = finish(a, a->send[i] + SEND);
  for (size_t i = 0; i < DFC_OUTPUTS && !error; ++i) {
    error = finish(a, a->receive[i] + RECEIVE);
    if (!error && get(a, a->receive[i] + RECEIVE + LENGTH) != size_of(&dfc_outputs[i], frames)) error = DFC_LENGTH;
  }
#if DFC_STREAMING
  if (!error) put(a, a->core + RESTART, 0); /* the next batch goes on */
#endif
  return error;
}
