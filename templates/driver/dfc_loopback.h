/* Host side of the loopback engine in C99, without heap: codes to its memory and back, and its runs. The design's tables are in dfc_design.c.
 *
 *   dfc_engine engine = {.read = ..., .write = ..., .core = ..., .memory = memory, .base = address of memory as the engine sees it, .polls = ...};
 *   read DFC_MEMORY_BYTES of memory.bin into memory;  dfc_engine_open(&engine);
 *   dfc_code codes[DFC_INPUT_0_ELEMENTS], results[DFC_OUTPUT_0_ELEMENTS];
 *   const dfc_code *in[] = {codes};  dfc_code *out[] = {results};
 *   dfc_encode(&dfc_inputs[0], reals, codes, 1);
 *   dfc_run(&engine, in, out, 1);
 *   dfc_decode(&dfc_outputs[0].tensors[0], &dfc_outputs[0], results, reals_out, 1);
 *
 * Several engines each have a dfc_engine with a memory of their own, which is opened by itself; dfc_run_all has them take turns.
 */
#ifndef DFC_LOOPBACK_H
#define DFC_LOOPBACK_H

#include "dfc_host.h"

/* A tensor in the engine's memory: frames of `bytes` from `address` on, codes as signed digits of `bits` (2, 4 or 8), wide ones in
 * planes of digits. Slots of a word are its `lanes`; a slot holds a channel or, at -1, nothing. start, row, col and plane are in words. */
struct dfc_layout {
  size_t address, bytes, height, width, channels, planes, bits, lanes, start, row, col, plane, slot_count;
  int64_t shift, base;  /* a code less the sum of its signed digits; what is taken from it before its bits are cut */
  const int32_t *slots;
  /* inputs whose windows the engine wants side by side: columns of a kernel, 0: as they are; rows of it, 1: row by row */
  size_t kernel, stride, dilation, left, picture, columns; /* picture: columns of the frame; columns: of what is made of it */
  size_t rows, row_stride, row_dilation, top, tall;        /* tall: rows of the frame */
  int64_t pad;
};

/* An engine by its registers, and the memory that both its masters see. */
typedef struct {
  uint32_t (*read)(void *context, uint64_t address);
  void (*write)(void *context, uint64_t address, uint32_t value);
  void (*flush)(void *context);      /* before a run: what was written to memory is to reach the engine; NULL where there is no cache */
  void (*invalidate)(void *context); /* after it: what the engine wrote is to be read */
  void *context;
  uint64_t core;                     /* base of the registers */
  uint8_t *memory;                   /* DFC_MEMORY_BYTES */
  uint64_t base;                     /* its address as the engine sees it, a multiple of DFC_PAGE */
  uint32_t polls;                    /* looks at the control register before a run is given up */
  uint64_t cycles;                   /* of the last run */
  uint32_t error, index;             /* of a run that the engine stopped: why (see driver.json), and at which descriptor */
} dfc_engine;

/* Codes to bytes in memory: frames * bytes of them. */
int dfc_pack(const dfc_port *port, const dfc_code *codes, uint8_t *images, size_t frames);
int dfc_unpack(const dfc_port *port, const uint8_t *images, dfc_code *codes, size_t frames);
/* Makes the program that lies in memory, as memory.bin has it, one for a memory at `base`. Once, before the first run. */
int dfc_engine_open(dfc_engine *engine);
/* Of a build with --streaming: the next run begins with the first states, as after dfc_engine_open. Of others nothing is to be done. */
void dfc_engine_reset(const dfc_engine *engine);
/* One run of the program on what the memory holds: its begin, and the wait for its end. */
void dfc_engine_start(const dfc_engine *engine);
int dfc_engine_wait(dfc_engine *engine);
int dfc_engine_execute(dfc_engine *engine); /* both */
/* Codes of every input to codes of every output on `count` engines, as many frames in a run as the program takes: run i is of engine i
 * modulo count, which works while frames of the others are put into memory and taken out of it. After an error none of them runs but one
 * that is not done in time. */
int dfc_run_all(dfc_engine *engines, size_t count, const dfc_code *const *in, dfc_code *const *out, size_t frames);
/* The same on one. */
int dfc_run(dfc_engine *engine, const dfc_code *const *in, dfc_code *const *out, size_t frames);

#endif
