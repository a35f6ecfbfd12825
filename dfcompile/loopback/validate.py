"""The checks that the engine makes on each descriptor before it runs; the hardware makes the same and reports the same codes."""

from __future__ import annotations

from enum import IntEnum

from dfcompile.loopback.coding import code_width, word_beats
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import AccOp, Compute, Descriptor, Opcode, Target, Transfer


class ErrorCode(IntEnum):
    """Error field of the status register."""

    NONE = 0
    OPCODE = 1
    TRANSFER = 2
    LOOP = 3
    TREE = 4
    WEIGHT = 5
    RESULT = 6
    ACT_RANGE = 7
    BUS = 8
    TIMEOUT = 9
    LENGTH = 10


MEANS = {
    ErrorCode.OPCODE: "there is no such kind of descriptor",
    ErrorCode.TRANSFER: "the block does not fit into its memory, is empty or of another size than its words, or its address is not aligned",
    ErrorCode.LOOP: "a loop of no steps",
    ErrorCode.TREE: "no such threshold bank, level, table or requantization",
    ErrorCode.WEIGHT: "no such weight width or word, or list of steps",
    ErrorCode.RESULT: "no such operation, number of bytes or words, or lane, or results that come faster than they are written",
    ErrorCode.ACT_RANGE: "a tap or a result lies outside the activation memory",
    ErrorCode.BUS: "the external memory answered with an error",
    ErrorCode.TIMEOUT: "nothing moved for too long: the program waits for itself, or the external memory does not answer",
    ErrorCode.LENGTH: "the program ends before its FINISH",
}


class Fault(Exception):
    """The engine stops: the error code and the descriptor's number."""

    def __init__(self, code: str, index: int, text: str = "") -> None:
        super().__init__(f"descriptor {index}: {code}: {text or MEANS[ErrorCode[code]]}")
        self.code, self.index = ErrorCode[code], index


def check(d: Descriptor, config: EngineConfig, index: int) -> None:
    """Fault for a descriptor that the engine refuses."""
    if isinstance(d, Transfer):
        if d.opcode == Opcode.REPEAT:
            raise Fault("OPCODE", index)
        if d.opcode != Opcode.FINISH and not _transfer_fits(d, config):
            raise Fault("TRANSFER", index)
        return
    if 0 in (d.batch, d.height, d.width_out, d.kernel_h, d.kernel_w, d.words):
        raise Fault("LOOP", index)
    if d.bank >= config.tree_banks or not _can_step(d, config):
        raise Fault("TREE", index)
    if 1 << d.width > config.weight_bits or d.weight >= config.weight_words or (d.listed and (d.op or d.tap_h >= config.list_words)):
        raise Fault("WEIGHT", index)
    lanes = min(config.pe, config.simd)
    if (
        not 1 <= d.writes <= config.word_writes
        or config.act_bits * d.planes >= config.acc_bits
        or d.lane % lanes
        or d.lane >= config.simd
        or not _can_join(d)
        or (d.root and not _can_root(d, config))
    ):
        raise Fault("RESULT", index, "no such operation, number of bytes or words, or lane")


def _can_step(d: Compute, config: EngineConfig) -> bool:
    """A requantization where there is one, else as many levels as there are, one less with a table."""
    if d.scale:
        return config.scale_bits > 0 and not d.lookup and d.scale_shift < config.scaled_bits
    return d.levels <= config.tree_levels and not (d.lookup and d.levels in (0, config.tree_levels))


def _can_root(d: Compute, config: EngineConfig) -> bool:
    """Of a sum that is written, with as many bits as a result has, and a rest that the engine holds."""
    plain = d.op == AccOp.ADD and not (d.levels or d.scale or d.lookup or d.acc_store)
    return plain and 1 <= d.start_1 < config.acc_bits and d.start_2 < config.root_bits


def _can_join(d: Compute) -> bool:
    """Only sums are kept in parts; a product has two factors of one tap."""
    if d.op == AccOp.ADD:
        return True
    factors = (1, d.shift_1, d.shift_2, d.shift_3)[: d.passes + 1].count(0) + 1
    alone = (d.kernel_h, d.kernel_w, factors) == (1, 1, 2)
    return d.op <= AccOp.MUL and not d.acc_load and not d.acc_store and (alone if d.op == AccOp.MUL else factors == 1)


def _transfer_fits(d: Transfer, config: EngineConfig) -> bool:
    if d.opcode == Opcode.STORE and d.target != Target.ACT:
        return False
    if d.beats == 0 or d.address % config.bus_bytes or not _coding_fits(d, config):
        return False
    size = (config.act_words, config.weight_words, config.tree_banks << config.tree_levels, config.list_words)[d.target]
    beats, rest = word_beats(d, config)
    return rest > 0 and rest == d.words * beats and d.inner + d.words <= size


def _coding_fits(d: Transfer, config: EngineConfig) -> bool:
    """Weights alone are loaded as numbers of levels, in few bits, whose words are whole bus words."""
    bits = code_width(d.coded)
    alone = d.opcode == Opcode.LOAD and d.target == Target.WEIGHT
    return not d.coded or (alone and config.reads_numbers(bits))
