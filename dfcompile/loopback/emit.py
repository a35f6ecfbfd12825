"""Layers --> descriptors: strips of rows, tiles of output channels, chunks of input channels, loads and stores around them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dfcompile.errors import CompileError, Problem
from dfcompile.loopback.allocate import Placement, source_rows, strip_planes
from dfcompile.loopback.arrive import Arrivals
from dfcompile.loopback.config import BYTE, EngineConfig
from dfcompile.loopback.descriptor import AccOp, Compute, Opcode, Target, Transfer, WeightReset, changed, pack
from dfcompile.loopback.form import best_form
from dfcompile.loopback.group import groups_of, together
from dfcompile.loopback.held import Constants, Ring
from dfcompile.loopback.kept import Kept
from dfcompile.loopback.layer import Layer, Stored
from dfcompile.loopback.local import Local
from dfcompile.loopback.lowered import Lowered
from dfcompile.loopback.step import Interval, Step
from dfcompile.loopback.storage import Ints, Storage, digits
from dfcompile.loopback.stored import around, stored_tile
from dfcompile.loopback.tile import (
    Pass,
    Tile,
    correction,
    cut_tile,
    flipped,
    levels_of,
    make_tile,
    passes_of,
    runs_of,
    tile_outs,
    tree_words,
)

Bank = list[tuple[int, Ints]]
Share = tuple[list[Pass], Tile]
Parts = tuple[list[tuple[int, list[Share]]], list[Bank]]


class Emitter:
    """Writes the steps of a whole network, layer after layer."""

    def __init__(
        self, low: Lowered, placement: Placement, external: dict[str, int], config: EngineConfig, batch: int, data: int,
        states: dict[str, int] | None = None,
    ) -> None:  # fmt: skip
        self.low, self.placement, self.external = low, placement, external
        self.config, self.batch = config, batch
        self.constants = Constants(data)
        self.weights = Ring(config.weight_words)
        self.trees = Ring(config.tree_banks)
        self.lists = Ring(config.list_words)
        self.steps: list[Step] = []
        self.layer, self.turn = -1, -1
        self.loaded: set[Target] = set()  # by the turn under way
        self.made: dict[int, Parts] = {}  # of layers of a loop
        self.arrivals = Arrivals(low, placement.local, batch, self._load_act)
        self.kept = Kept(low, placement.local, states or {}, config.word_bytes, self._move)

    def run(self) -> None:
        """Descriptors of all layers. CompileError with every layer that this engine cannot run."""
        problems: list[Problem] = []
        for tensor in self.low.inputs:
            if tensor not in self.arrivals.rows:
                self.resident(tensor, Opcode.LOAD)
        last = {self.low.storage[layer.dst].buffer: i for i, layer in enumerate(self.low.layers)}
        at, loops = 0, {x.first: x for x in self.low.loops}
        while at < len(self.low.layers):
            loop = loops.get(at)
            end, self.layer = loop.end if loop else at + 1, at
            self.kept.load(at, end)
            for turn in range(loop.count) if loop and not problems else (-1,):
                self.begin_turn(turn)
                for self.layer in range(at, end):
                    problems += self._problems(self.low.layers[self.layer])
            self.begin_turn(-1)
            self.kept.store(at, end)
            for self.layer in range(at, end):
                for tensor in dict.fromkeys(self.low.outputs):
                    if last.get(self.low.storage[tensor].buffer) == self.layer:
                        self.resident(tensor, Opcode.STORE)
            at = end
        self.add(Step(Transfer(opcode=Opcode.FINISH)))
        if problems:
            raise CompileError(problems)

    def _problems(self, layer: Layer) -> list[Problem]:
        """Write a layer; why it does not run on this engine."""
        try:
            self.emit_layer(layer)
        except ValueError as e:
            where = f"nodes {', '.join(layer.source)}" if layer.source else ""
            help_ = "give the engine other parameters, or build with --mode dataflow"
            return [Problem("not-loopback", f"layer {layer.name} does not run on this engine", where, str(e), help_)]
        return []

    def begin_turn(self, turn: int) -> None:
        """The next steps are of a loop's turn, -1: of none. From the third turn on each loads the same to the same places, or nothing."""
        rings = {Target.WEIGHT: self.weights, Target.TREE: self.trees, Target.LIST: self.lists}
        for target, ring in rings.items():
            if turn >= 2 and target in self.loaded:
                ring.clear()
        if turn < 1:
            self.made.clear()
        self.turn, self.loaded = turn, set()

    def add(self, step: Step) -> None:
        """Append a step. ValueError where its descriptor has no bits for its numbers."""
        pack(step.descriptor)
        self.steps.append(replace(step, layer=self.layer, turn=self.turn))

    def transfer(self, opcode: Opcode, target: Target, address: int, local: int, words: int, beats: int, coded: int = 0) -> None:
        """A block of so many bus words between external and words of on-chip memory."""
        space = ("act", "weight", "tree", "list")[target]
        inside, outside = (space, local, local + words), ("ext", address, address + beats * self.config.bus_bytes)
        reads, writes = ((outside,), (inside,)) if opcode == Opcode.LOAD else ((inside,), (outside,))
        self.loaded |= {target} if opcode == Opcode.LOAD else set()
        descriptor = Transfer(opcode=opcode, target=target, inner=local, beats=beats, address=address, coded=coded, words=words)
        self.add(Step(descriptor, reads, writes))

    def resident(self, tensor: str, opcode: Opcode) -> None:
        """Move a whole buffer of the network's inputs or outputs, where it is kept on chip."""
        name = self.low.storage[tensor].buffer
        if name in self.placement.local:
            self._move(opcode, self.external[name], self.placement.local[name], self.batch * self.low.buffers[name])

    def _move(self, opcode: Opcode, address: int, local: int, words: int) -> None:
        """A block between external and words of the activation memory."""
        self.transfer(opcode, Target.ACT, address, local, words, words * self.config.word_beats)

    def _load_act(self, name: str, at: int, words: int) -> None:
        """Load words of a buffer that is kept on chip, from one of its words on."""
        self._move(Opcode.LOAD, self.external[name] + at * self.config.word_bytes, self.placement.local[name] + at, words)

    def block(self, tensor: str, opcode: Opcode, rows: tuple[int, int], at: int, layer: Layer) -> None:
        """Move rows of a tensor between its strip at word `at` and external memory."""
        s = self.low.storage[tensor]
        count = (rows[1] - rows[0]) * s.row
        planes = strip_planes(self.low, layer, tensor, self.batch)
        word = self.config.word_bytes
        for n in range(self.batch):
            for p in range(s.planes):
                # Whole rows, from those on that a tensor begins with: it may be the upper bytes of its buffer.
                there = n * self.low.buffers[s.buffer] + s.start - s.start % s.row + p * s.plane + rows[0] * s.row
                here = at + (n * planes + p) * count
                address = self.external[s.buffer] + there * word
                self.transfer(opcode, Target.ACT, address, here, count, count * self.config.word_beats)

    def local(self, tensor: str, rows: tuple[int, int], strip: int, layer: Layer, load: bool) -> Local:
        """Where rows of a tensor are on chip, loaded there when they come from outside."""
        s = self.low.storage[tensor]
        if s.buffer in self.placement.local:
            moved = replace(s, start=self.placement.local[s.buffer] + s.start)
            arrives = load and tensor in self.arrivals.rows
            if arrives:
                self.arrivals.until(tensor, rows[1])
            return Local(moved, self.low.buffers[s.buffer], 0, rows if arrives else None)
        places = self.placement.strips[layer.name].places[tensor]
        at = places[strip % len(places)]
        if load:
            self.block(tensor, Opcode.LOAD, rows, at, layer)
        count = (rows[1] - rows[0]) * s.row
        moved = replace(s, start=at + s.start % s.row, plane=count, height=rows[1] - rows[0])
        return Local(moved, strip_planes(self.low, layer, tensor, self.batch) * count, rows[0])

    def emit_layer(self, layer: Layer) -> None:
        if self.turn >= 0:
            layer = replace(layer, size=(1, 1))
        if self.layer not in self.made:
            self.made[self.layer] = self._parts(layer)
        tiles, trees = self.made[self.layer] if self.turn >= 0 else self.made.pop(self.layer)
        rows = min(self._rows(layer, any(len(shares) > 1 for _, shares in tiles)), self.arrivals.rows_of(layer, self.config))
        for strip, first in enumerate(range(0, layer.size[0], rows)):
            self._strip(layer, tiles, trees, first, min(rows, layer.size[0] - first), strip)
        self.arrivals.end(layer)

    def _parts(self, layer: Layer) -> Parts:
        """Tiles of a layer, each with its place among the channels, and their banks."""
        storage = self.low.storage
        dst = storage[layer.dst]
        passes = passes_of(layer, storage, self.config)
        if layer.steps is not None:
            steps = flipped(layer.steps)
            layer = replace(layer, steps=steps)
        tiles = [(slot, outs, self._shares(layer, passes, outs)) for slot, outs in tile_outs(dst.slots, layer, self.config)]
        bias = correction(layer, storage, dst.channels)
        if layer.steps is None and layer.root is None:
            bias = bias - dst.base
        trees = [tree_words(layer.steps, bias, outs, dst.base, self.config) for _, outs, _ in tiles]
        return [(slot, shares) for slot, _, shares in tiles], trees

    def _rows(self, layer: Layer, is_shared: bool) -> int:
        rows = self.placement.strips[layer.name].rows
        if is_shared:
            row, each = self.batch * groups_of(layer.size[1], layer.op, self.config), " of each pixel" * (self.config.pixels > 1)
            rows = min(rows, self.config.acc_words // row)
            if rows < 1:
                raise ValueError(f"its weights need partial sums of {row} outputs{each}, acc_words={self.config.acc_words}")
        return rows

    def _shares(self, layer: Layer, passes: list[Pass], outs: Ints) -> list[Share]:
        """What descriptors add up to the outputs of a tile: runs of passes, or pass by pass pieces of the channel words."""
        make = stored_tile if isinstance(layer.operands[0].kernel, Stored) else make_tile
        runs = [(run, make(layer, run, self.low.storage, outs, self.config)) for run in runs_of(layer, passes)]
        if all(len(tile.weights) <= self._most_steps(tile) for _, tile in runs):
            return runs
        shares: list[Share] = []
        for one in passes:
            (run,) = runs_of(layer, [one])
            tile = make(layer, run, self.low.storage, outs, self.config)
            chunks = self.chunks(tile, layer)
            for k in range(chunks):
                if k == 1 and len(run) > 1:  # shifted once
                    run = [replace(one, shift=False)]
                    tile = make(layer, run, self.low.storage, outs, self.config)
                shares.append((run, cut_tile(tile, tile.words * k // chunks, tile.words * (k + 1) // chunks, self.config)))
        return shares

    def _most_steps(self, tile: Tile) -> int:
        """Steps whose weights fill half the weight buffer."""
        return (self.config.weight_words * self.config.weight_bits >> tile.width) // 2

    def chunks(self, tile: Tile, layer: Layer) -> int:
        """Pieces into which the channel words of a tile are cut so that one fills at most half the weight buffer."""
        count, limit = len(tile.weights), self._most_steps(tile)
        if count <= limit:
            return 1
        if (tile.reset != WeightReset.VECTOR and not tile.loads) or layer.op or count // tile.words > limit:
            raise ValueError(f"a tile of {count} weight words does not fit into weight_words={self.config.weight_words}")
        return -(-tile.words // (limit // (count // tile.words)))

    def _strip(
        self, layer: Layer, tiles: list[tuple[int, list[Share]]], trees: list[Bank], first: int, rows: int, strip: int
    ) -> None:  # fmt: skip
        sources = []
        for o in layer.operands:
            s = self.low.storage[o.tensor]
            source = self.local(o.tensor, source_rows(layer, s, first, rows), strip, layer, True)
            sources.append(source if self.turn < 0 else source.pixel(self.turn))
        dst_rows = (first, first + rows) if layer.place[2] == 1 else (0, self.low.storage[layer.dst].height)
        dst = self.local(layer.dst, dst_rows, strip, layer, False)
        dst = dst if self.turn < 0 else dst.pixel(self.turn)
        for (slot, shares), tree in zip(tiles, trees, strict=True):
            bank = self._load_tree(tree)
            for image in range(self.batch) if shares[0][1].loads else (None,):
                for k, (passes, tile) in enumerate(shares):
                    flags = {"acc_load": int(k > 0), "acc_store": int(k < len(shares) - 1), "bank": bank}
                    self._compute(layer, passes, sources, dst, slot, tile, flags, first, rows, image)
        if self.low.storage[layer.dst].buffer in self.placement.outside:
            places = self.placement.strips[layer.name].places[layer.dst]
            self.block(layer.dst, Opcode.STORE, dst_rows, places[strip % len(places)], layer)

    def _load_tree(self, tree: Bank) -> int:
        """The pieces of a bank to their places in it."""
        config, size = self.config, self.config.acc_bits // 8
        address = self.constants.add(b"".join(words.astype(f"<i{size}").tobytes() for _, words in tree))
        bank, missing = self.trees.find((address, *(first for first, _ in tree)), 1)
        for first, words in tree if missing else ():
            place, beats = (bank << config.tree_levels) + first, len(words) * config.tree_beats
            self.transfer(Opcode.LOAD, Target.TREE, address, place, len(words), beats)
            address += words.size * size
        return bank

    def _load_constants(self, tile: Tile, d: Compute) -> tuple[Compute, list[Interval]]:
        """The descriptor of a tile of constant weights in its fastest form, which is loaded, and where it reads that."""
        form, config = best_form(tile, d, self.config), self.config
        address = self.constants.add(form.block)
        at, missing = self.weights.find((address, form.coded), form.words)
        if missing:
            beats = len(form.block) // config.bus_bytes
            self.transfer(Opcode.LOAD, Target.WEIGHT, address, at, form.words, beats, form.coded)
        d, reads = changed(d, weight=at, width=form.width), [("weight", at, at + form.words)]
        if form.steps is not None:
            listing = form.listing(config)
            address, words = self.constants.add(listing), len(listing) // config.bus_bytes
            at, missing = self.lists.find((address,), words)
            if missing:
                self.transfer(Opcode.LOAD, Target.LIST, address, at, words, words)
            d = changed(d, listed=1, reset=WeightReset.VECTOR, words=form.taps, tap_h=at)
            reads.append(("list", at, at + words))
        return d, reads

    def _load_stored(self, tile: Tile, d: Compute, image: int) -> tuple[Compute, list[Interval]]:
        """The descriptor of a tile whose weights are those of an image, which are loaded, and where it reads them."""
        size = self.config.lanes * self.config.weight_bits // 8
        places: list[tuple[int, int]] = []  # external address, words of the buffer
        for piece in (piece for sweep in tile.loads for piece in sweep):
            if isinstance(piece, bytes):
                places.append((self.constants.add(piece), len(piece) // size))
            else:
                name, word = piece
                places.append((self.external[name] + (image * self.low.buffers[name] + word) * self.config.word_bytes, 1))
        words = sum(count for _, count in places)
        start, missing = self.weights.find(tuple(address for address, _ in places), words)
        at = start
        for address, count in places if missing else ():
            self.transfer(Opcode.LOAD, Target.WEIGHT, address, at, count, count * self.config.weight_beats)
            at += count
        return changed(d, weight=start), [("weight", start, start + words)]

    def _compute(
        self, layer: Layer, passes: list[Pass], sources: list[Local], dst: Local, slot: int, tile: Tile,
        flags: dict[str, int], first: int, rows: int, image: int | None,
    ) -> None:  # fmt: skip
        """A tile over all images, or over one."""
        d = changed(self._window(layer, passes, sources, tile, first, rows), **flags)
        d, constants = self._load_constants(tile, d) if image is None else self._load_stored(tile, d, image)
        d = changed(d, **self._result(layer, dst, slot, tile.outs, first, d))
        if image is not None:
            d = changed(d, batch=1, src=d.src + image * sources[0].image, dst=d.dst + image * dst.image)
        reads = [x for s in sources for x in s.read(self.batch)]
        bank = d.bank << self.config.tree_levels
        reads += [*constants, ("tree", bank, bank + (1 << self.config.tree_levels))]
        writes: list[Interval] = []
        if d.acc_load:
            reads.append(("acc", 0, 1))
        writes.append(("acc", 0, 1) if d.acc_store else dst.whole(self.batch))
        self.add(Step(d, tuple(reads), tuple(writes)))

    def _window(self, layer: Layer, passes: list[Pass], sources: list[Local], tile: Tile, first: int, rows: int) -> Compute:
        win = layer.window
        s = sources[passes[0].operand].storage
        bases = [self._base(layer, sources[p.operand], tile.first[p.operand], p.plane, first) for p in passes]
        steps = {(x.storage.row, x.storage.col, x.image if self.batch > 1 else 0) for x in sources}
        if len(steps) > 1:
            raise ValueError("its operands have different strides")
        offsets = {f"offset_{i}": bases[i] - bases[0] for i in range(1, len(passes))}
        shifts = {f"shift_{i}": int(passes[i].shift) for i in range(1, len(passes))}
        x, height = sources[0], self.low.storage[layer.operands[0].tensor].height
        starts = _starts(layer, self.low.storage) if layer.op == AccOp.MUL else {}
        d = Compute(
            opcode=Opcode.COMPUTE, op=layer.op, reset=tile.reset, width=tile.width, levels=levels_of(layer.steps),
            passes=len(passes) - 1, **(_pads(layer, passes, self.low.storage) if win.has_pads else {}),
            batch=self.batch, height=rows, width_out=layer.size[1], kernel_h=win.kernel[0], kernel_w=win.kernel[1], words=tile.words,
            src=bases[0], src_n=x.image, src_h=win.stride[0] * s.row, src_w=win.stride[1] * s.col,
            tap_h=win.dilation[0] * s.row, tap_w=win.dilation[1] * s.col,
            y_first=first * win.stride[0] - win.pads[0], y_step=win.stride[0], y_tap=win.dilation[0], y_size=height,
            x_first=-win.pads[1], x_step=win.stride[1], x_tap=win.dilation[1], x_size=s.width, **offsets, **shifts, **starts,
        )  # fmt: skip
        if tile.loads:
            return changed(d, **around(layer, passes, self.low.storage, self.config))
        return _over_channels(d, s, self.config) if layer.op.picks else d

    def _base(self, layer: Layer, x: Local, word: int, plane: int, first: int) -> int:
        """Address of the first tap of the first output, wherever it lies."""
        s, win = x.storage, layer.window
        y = first * win.stride[0] - win.pads[0] - x.first
        return s.start + word + plane * s.plane + y * s.row - win.pads[1] * s.col

    def _result(self, layer: Layer, dst: Local, slot: int, outs: Ints, first: int, d: Compute) -> dict[str, int]:
        s, config = dst.storage, self.config
        at = s.start + slot // config.simd + (layer.place[0] + first * layer.place[2] - dst.first) * s.row + layer.place[1] * s.col
        used = -(-int(np.flatnonzero(outs >= 0)[-1] + 1) // config.simd)
        writes = min(config.word_writes, s.words(config.simd) - slot // config.simd, used)
        codes = {"lookup": 1} if layer.steps and layer.steps.table is not None else {}
        if layer.steps and layer.steps.scaling is not None:
            codes = {"scale": 1, "scale_shift": layer.steps.scaling.shift}
        elif layer.steps and not codes:
            codes = {"twice": int(layer.steps.step == 2)}
        if layer.root is not None and not d.acc_store:
            codes |= {"root": 1, "start_1": layer.root[0], "start_2": layer.root[1]}
        late, several = (made := changed(d, **codes)).late, together(made, config)
        return codes | {
            "planes": s.planes - 1, "dst": at, "dst_n": dst.image, "dst_h": layer.place[2] * s.row, "dst_w": layer.place[3] * s.col,
            "dst_p": s.plane if s.planes > 1 else 0, "writes": writes, "lane": slot % config.simd if config.pe < config.simd else 0,
            "idle": 0 if d.acc_store else max(0, late + several * s.planes * writes - d.taps),
        }  # fmt: skip


def _pads(layer: Layer, passes: list[Pass], storage: dict[str, Storage]) -> dict[str, int]:
    """What each pass reads outside the picture: the digits of the pad code. ValueError where it has more than its tensor's codes."""
    found = {}
    for i, p in enumerate(passes):
        s = storage[layer.operands[p.operand].tensor]
        top = 1 << s.bits * s.planes - 1
        if not -top <= layer.pad - s.base < top:
            raise ValueError(f"the pad code {layer.pad} is outside the codes' {'byte' if s.bits * s.planes == BYTE else 'digits'}")
        found[f"pad_{i}" if i else "pad"] = int(digits(np.array(layer.pad), s.planes, s.shift, s.bits)[p.plane])
    return found


def _starts(layer: Layer, storage: dict[str, Storage]) -> dict[str, int]:
    """Storage shifts of factors, of the highest plane; what makes up that of the planes below is added as their digits come."""
    factors = [storage[o.tensor] for o in layer.operands]
    return {f"start_{i}": s.shift >> s.bits * (s.planes - 1) for i, s in enumerate(factors, 1)}


def _over_channels(d: Compute, s: Storage, config: EngineConfig) -> Compute:
    """The taps of a pixel are its channels, x is their number: beyond the last channel lies nothing."""
    return changed(
        d, kernel_h=s.words(config.simd), kernel_w=config.simd, tap_h=1, tap_w=0, y_first=0, y_step=0, y_tap=0, y_size=1,
        x_first=0, x_step=0, x_tap=1, x_size=s.channels,
    )  # fmt: skip
