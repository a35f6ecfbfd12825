"""Feed damaged models to the importer: nothing but problems may come out, in bounded time and memory.

usage: python -m benchmarks.fuzz_import [--count N] [--seed S] [MODEL.onnx ...]
"""

from __future__ import annotations

import argparse
import math
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from dfcompile.frontend import import_model
from tests.frontend.small import SMALL

LIMIT_SECONDS = 20
LIMIT_BYTES = 6 * 2**30
NUMBERS = (0, 1, 2, 3, 4, 7, 8, 16, 64, 255, -1, -2, -8, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, -(2**63))
REALS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-30, 1e30, 2.0**24, float("nan"), float("inf"), float("-inf"))
WORDS = ("", "x", "y", "q", "w", "s", "z", "Conv", "Reshape", "Quant", "Gather", "Slice", "FLOOR", "SAME_UPPER", "axes", "NHWC", "é\x00")


def damaged_bytes(rng: random.Random, data: bytes) -> bytes:
    """Cut, flip, copy or drop a few bytes."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        kind, at = rng.randrange(4), rng.randrange(max(1, len(found)))
        if kind == 0:
            found = found[:at]
        elif kind == 1 and found:
            found[at] = rng.randrange(256)
        elif kind == 2:
            found[at:at] = found[rng.randrange(max(1, len(found))) :][: rng.randrange(32)]
        else:
            del found[at : at + rng.randrange(8)]
    return bytes(found)


def messages(root: Message) -> list[Message]:
    """A message and all those inside it."""
    found = [root]
    for field, value in root.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            found += [m for part in (value if field.is_repeated else [value]) for m in messages(part)]
    return found


def damaged_model(rng: random.Random, data: bytes) -> bytes:
    """Change a few fields of the protobuf tree to extreme or wrong values: damage that survives parsing."""
    proto = onnx.ModelProto.FromString(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = rng.choice(messages(proto))
        fields = place.ListFields()
        if fields:
            damage(rng, place, rng.choice(fields)[0])
    return proto.SerializeToString()


def damage(rng: random.Random, place: Message, field: FieldDescriptor) -> None:
    """Clear, shorten, repeat, shuffle or overwrite one field."""
    if field.is_repeated:
        part = getattr(place, field.name)
        at, kind = rng.randrange(len(part)), rng.randrange(4)
        if kind == 0:
            del part[at]
        elif kind == 1:
            part.extend([part[at]])
        elif kind == 2 and field.type != FieldDescriptor.TYPE_MESSAGE:
            part[at] = value(rng, field)
        elif field.type != FieldDescriptor.TYPE_MESSAGE:
            part.append(value(rng, field))
        return
    if field.type == FieldDescriptor.TYPE_MESSAGE or not rng.randrange(4):
        place.ClearField(field.name)
    else:
        setattr(place, field.name, value(rng, field))


def value(rng: random.Random, field: FieldDescriptor) -> int | float | str | bytes:
    """A nasty value of the field's type."""
    if field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return rng.choice(REALS)
    if field.type == FieldDescriptor.TYPE_STRING:
        return rng.choice(WORDS)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rng.choice(WORDS).encode() + bytes(rng.randrange(256) for _ in range(rng.randrange(9)))
    if field.type == FieldDescriptor.TYPE_ENUM:
        return rng.choice(field.enum_type.values).number
    low, high = {FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1), FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1)}.get(
        field.type, (-(2**63), 2**63 - 1)
    )
    return max(low, min(high, rng.choice(NUMBERS)))


def attempt(data: bytes, path: Path) -> str:
    """Import damaged bytes; the codes of the problems, or "ok"."""
    path.write_bytes(data)
    result = import_model(path)
    if result.graph is None and not result.problems:
        raise AssertionError("no graph and no problem")
    for problem in result.problems:
        if not str(problem).startswith("error["):
            raise AssertionError(f"not in the form of a problem: {problem}")
    if result.graph is not None:
        result.graph.verify()
        if not result.problems and sum(math.prod(t.shape) for t in result.graph.tensors.values()) < 10**6:
            with np.errstate(all="ignore"):
                result.graph.execute({t: np.zeros((2, *result.graph.tensors[t].shape[1:])) for t in result.graph.inputs})
    return "+".join(sorted({p.code for p in result.problems})) or "ok"


def main() -> int:
    """Run the attempts and print what came out; 1 when something failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    seeds = [p.read_bytes() for p in options.models] or [make().SerializeToString() for make in SMALL.values()]
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    rng, found, bad, slowest = random.Random(options.seed), Counter[str](), 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.onnx"
        for i in range(options.count):
            data = rng.choice((damaged_bytes, damaged_model, damaged_model))(rng, rng.choice(seeds))
            start = time.perf_counter()
            signal.alarm(LIMIT_SECONDS)
            try:
                found[attempt(data, path)] += 1
            except Exception:
                bad += 1
                (Path(tempfile.gettempdir()) / f"fuzz_{options.seed}_{i}.onnx").write_bytes(data)
                print(f"--- {i}", *traceback.format_exc().splitlines()[-5:], sep="\n", flush=True)
            signal.alarm(0)
            slowest = max(slowest, time.perf_counter() - start)
    print(f"{options.count} damaged models: {bad} failures, slowest {slowest:.2f} s")
    for codes, n in found.most_common(25):
        print(f"{n:7d} {codes}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
