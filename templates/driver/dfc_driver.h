/* Host side of the accelerator in C99, without heap: codes to beats and back, and their transfer. The design's tables are in dfc_design.c.
 *
 *   dfc_code codes[DFC_INPUT_0_ELEMENTS], results[DFC_OUTPUT_0_ELEMENTS];
 *   uint8_t sent[DFC_INPUT_0_FRAME_BYTES], received[DFC_OUTPUT_0_FRAME_BYTES];
 *   const dfc_code *in[] = {codes};  dfc_code *out[] = {results};  uint8_t *tx[] = {sent}, *rx[] = {received};
 *   dfc_encode(&dfc_inputs[0], reals, codes, 1);
 *   dfc_run(&io, in, out, tx, rx, 1);
 *   dfc_decode(&dfc_outputs[0].tensors[0], &dfc_outputs[0], results, reals_out, 1);
 *
 * A frame's codes are in the order of the accelerator's tensor (h, w, c). All functions give 0, or one of the errors below.
 */
#ifndef DFC_DRIVER_H
#define DFC_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include "dfc_design.h"

enum {
  DFC_OK = 0,
  DFC_RANGE = -1,    /* a code is out of the port's range */
  DFC_HOST = -2,     /* preprocessing that only driver.py has: give codes */
  DFC_TIMEOUT = -3,  /* a transfer was not done after the polls allowed */
  DFC_DMA = -4,      /* a DMA told an error */
  DFC_LENGTH = -5,   /* an output gave another number of bytes than its frames have */
  DFC_DESIGN = -6    /* the hardware is another design */
};

enum { DFC_ROUND, DFC_CEIL, DFC_FLOOR, DFC_UP, DFC_DOWN, DFC_HALF_UP, DFC_HALF_DOWN };

/* A tensor of the model that lies on an output: real = scale * code + offset, each one number or one for each channel. */
typedef struct {
  const char *name;
  size_t elements;        /* of a frame */
  const uint32_t *index;  /* element -> place in the frame; NULL: the same */
  const double *scale, *offset;
  size_t scales, offsets;
} dfc_tensor;

typedef struct {
  const char *name;
  size_t elements, channels, lanes, run, taps, beats, bytes; /* elements of a frame; lanes and bytes of a beat; beats of a frame */
  int bits, is_signed, bipolar;
  int64_t lo, hi;
  /* inputs: real numbers to codes; quantized is -1 where the preprocessing is not to be had here, 0: (x - offset) / scale, 1: a quantizer */
  int quantized, rounding, zero_after;
  double scale, offset, zero, least, most;
  size_t items;           /* of the model's tensor */
  const uint32_t *index;  /* item -> place in the frame; NULL: the same */
  /* outputs */
  const dfc_tensor *tensors;
  size_t tensor_count;
} dfc_port;

extern const dfc_port dfc_inputs[DFC_INPUTS], dfc_outputs[DFC_OUTPUTS];

/* Moves the beats of all inputs and outputs, `frames` frames of each; gives DFC_OK or an error. */
typedef struct {
  int (*transfer)(void *context, uint8_t *const *sent, uint8_t *const *received, size_t frames);
  void *context;
} dfc_io;

/* Real numbers in the model's layout to codes. */
int dfc_encode(const dfc_port *port, const float *reals, dfc_code *codes, size_t frames);
/* Codes to beats: frames * beats * bytes of them. */
int dfc_pack(const dfc_port *port, const dfc_code *codes, uint8_t *beats, size_t frames);
int dfc_unpack(const dfc_port *port, const uint8_t *beats, dfc_code *codes, size_t frames);
/* Codes of an output to the real numbers of a tensor on it. */
int dfc_decode(const dfc_tensor *tensor, const dfc_port *port, const dfc_code *codes, double *reals, size_t frames);
/* Codes of every input to codes of every output; sent and received are memory for the beats. */
int dfc_run(const dfc_io *io, const dfc_code *const *in, dfc_code *const *out, uint8_t *const *sent, uint8_t *const *received, size_t frames);

/* The design behind AXI DMAs in simple mode (one for each stream, as in the projects of vivado/), by their registers. The addresses are
 * those that the DMAs see; caches are the caller's business: flush what is sent before, invalidate what is received after. */
typedef struct {
  uint32_t (*read)(void *context, uint64_t address);
  void (*write)(void *context, uint64_t address, uint32_t value);
  uint64_t (*physical)(void *context, const void *memory); /* address of memory for the DMAs */
  void *context;
  uint64_t core, send[DFC_INPUTS], receive[DFC_OUTPUTS]; /* register bases: the design, the DMA of each input and of each output */
  uint32_t polls;                                        /* looks at a register before a transfer is given up */
} dfc_axi;

/* Checks that the hardware is this design and starts its DMAs. Before the first transfer. */
int dfc_axi_open(const dfc_axi *axi);
/* A dfc_io transfer; context is a dfc_axi. */
int dfc_axi_transfer(void *axi, uint8_t *const *sent, uint8_t *const *received, size_t frames);

#endif
