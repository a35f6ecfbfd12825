/* What the drivers of both modes share: real numbers to codes and back, in C99, without heap. The design's tables are in dfc_design.c.
 *
 * A frame's codes are in the order of the accelerator's tensor (h, w, c). All functions give 0, or one of the errors below.
 */
#ifndef DFC_HOST_H
#define DFC_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "dfc_design.h"

enum {
  DFC_OK = 0,
  DFC_RANGE = -1,    /* a code is out of the port's range */
  DFC_HOST = -2,     /* preprocessing that only driver.py has: give codes */
  DFC_TIMEOUT = -3,  /* a transfer or a run was not done after the polls allowed */
  DFC_DMA = -4,      /* a DMA told an error */
  DFC_LENGTH = -5,   /* an output gave another number of bytes than its frames have */
  DFC_DESIGN = -6,   /* the hardware is another design */
  DFC_ENGINE = -7,   /* the loopback engine stopped with an error */
  DFC_ADDRESS = -8   /* the loopback engine's memory begins at no multiple of DFC_PAGE */
};

enum { DFC_ROUND, DFC_CEIL, DFC_FLOOR, DFC_UP, DFC_DOWN, DFC_HALF_UP, DFC_HALF_DOWN };

/* Places of a tensor's elements in a frame: an element's is the sum of what the axes have for its place along them. NULL: the same order. */
typedef struct {
  size_t axes;
  const size_t *sizes;
  const int32_t *const *steps;
} dfc_index;

/* A tensor of the model that lies on an output: real = scale * code + offset, each one number or one for each channel. */
typedef struct {
  const char *name;
  size_t elements;        /* of a frame */
  const dfc_index *index;
  const double *scale, *offset;
  size_t scales, offsets;
} dfc_tensor;

struct dfc_layout;

typedef struct {
  const char *name;
  size_t elements, channels; /* of a frame */
  int bits, is_signed, bipolar;
  int64_t lo, hi;
  /* inputs: real numbers to codes; quantized is -1 where the preprocessing is not to be had here, 0: (x - offset) / scale, 1: a quantizer */
  int quantized, rounding, zero_after;
  double scale, offset, zero, least, most;
  size_t items;           /* of the model's tensor */
  const dfc_index *index;
  /* outputs */
  const dfc_tensor *tensors;
  size_t tensor_count;
  const struct dfc_layout *layout; /* how its codes lie outside: dfc_driver.h or dfc_loopback.h */
  const char *fixed; /* NULL; of an input that takes the same beats in each frame, as weights: the file that holds those of one */
} dfc_port;

extern const dfc_port dfc_inputs[DFC_INPUTS], dfc_outputs[DFC_OUTPUTS];

/* Real numbers in the model's layout to codes. */
int dfc_encode(const dfc_port *port, const float *reals, dfc_code *codes, size_t frames);
/* Codes of an output to the real numbers of a tensor on it. */
int dfc_decode(const dfc_tensor *tensor, const dfc_port *port, const dfc_code *codes, double *reals, size_t frames);

#endif
