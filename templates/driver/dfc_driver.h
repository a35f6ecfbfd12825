/* Host side of the accelerator in C99, without heap: codes to beats and back, and their transfer. The design's tables are in dfc_design.c.
 *
 *   dfc_code codes[DFC_INPUT_0_ELEMENTS], results[DFC_OUTPUT_0_ELEMENTS];
 *   uint8_t sent[DFC_INPUT_0_FRAME_BYTES], received[DFC_OUTPUT_0_FRAME_BYTES];
 *   const dfc_code *in[] = {codes};  dfc_code *out[] = {results};  uint8_t *tx[] = {sent}, *rx[] = {received};
 *   dfc_encode(&dfc_inputs[0], reals, codes, 1);
 *   dfc_run(&io, in, out, tx, rx, 1);
 *   dfc_decode(&dfc_outputs[0].tensors[0], &dfc_outputs[0], results, reals_out, 1);
 */
#ifndef DFC_DRIVER_H
#define DFC_DRIVER_H

#include "dfc_host.h"

/* Lanes and bytes of a beat; elements of a run, whose last beat may have padding (0: none), and taps of each of its channels; beats of a frame. */
struct dfc_layout {
  size_t lanes, run, taps, beats, bytes;
};

/* Moves the beats of all inputs and outputs, `frames` frames of each; gives DFC_OK or an error. */
typedef struct {
  int (*transfer)(void *context, uint8_t *const *sent, uint8_t *const *received, size_t frames);
  void *context;
} dfc_io;

/* Codes to beats: frames * beats * bytes of them. */
int dfc_pack(const dfc_port *port, const dfc_code *codes, uint8_t *beats, size_t frames);
int dfc_unpack(const dfc_port *port, const uint8_t *beats, dfc_code *codes, size_t frames);
/* Codes of every input to codes of every output; sent and received are memory for the beats. Of an input that is `fixed`, in has no codes
 * (NULL), and sent the beats of one frame, which the caller has read from its file before the first run. */
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
/* The next transfer begins with the first states, as the first one does: for designs whose frames go on from those that the one before left. */
void dfc_axi_reset(const dfc_axi *axi);
/* A dfc_io transfer; context is a dfc_axi. The channel of an input that is `fixed` is started again for each frame. */
int dfc_axi_transfer(void *axi, uint8_t *const *sent, uint8_t *const *received, size_t frames);

#endif
