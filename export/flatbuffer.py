"""A .tflite file looked at from inside: its operations, its tensors, its size."""

from __future__ import annotations

import collections
from typing import Any, NamedTuple

from ai_edge_litert import schema_py_generated as schema

from keras_s2s.config import require

_OPERATIONS = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
_TYPES = {number: name.lower() for name, number in vars(schema.TensorType).items() if isinstance(number, int)}
BORDER_TYPES = ("uint8", "int32", "float32")  # all that LiteRT.js can pass


class Signature(NamedTuple):
    """A signature's border: name -> (type, shape)."""

    inputs: dict[str, tuple[str, list[int]]]
    outputs: dict[str, tuple[str, list[int]]]


def read(content: bytes) -> Any:
    """The file as the schema's object tree."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))


def operations(content: bytes) -> dict[str, int]:
    """How often each operation stands in the file; one that is not built in is called "CUSTOM:" and its name."""
    model = read(content)
    counts: collections.Counter[str] = collections.Counter()
    for graph in model.subgraphs:
        for operator in graph.operators or []:
            code = model.operatorCodes[operator.opcodeIndex]
            name = _OPERATIONS[max(code.builtinCode, code.deprecatedBuiltinCode)]
            counts[f"CUSTOM:{code.customCode.decode()}" if name == "CUSTOM" else name] += 1
    return dict(sorted(counts.items()))


def require_builtins(content: bytes) -> None:
    """Raises ValueError unless every operation is built in, without state, and the border is of types that all runtimes know."""
    foreign = [name for name in operations(content) if name.startswith(("CUSTOM", "VAR_HANDLE", "READ_VARIABLE", "CALL_ONCE"))]
    require(not foreign, "a phone file may hold built-in operations and constants only; this one also has "
            f"{', '.join(foreign)}. That is a fault of the export: please report it with the run's config.json.")
    for name, signature in signatures(content).items():
        for argument, (kind, shape) in {**signature.inputs, **signature.outputs}.items():
            require(kind in BORDER_TYPES and min(shape, default=1) > 0,
                    f"the border of a phone file may be {', '.join(BORDER_TYPES)} in fixed shapes; {name}'s {argument!r} is "
                    f"{kind} {shape}. That is a fault of the export: please report it with the run's config.json.")


def signatures(content: bytes) -> dict[str, Signature]:
    """The file's signatures by name."""
    model = read(content)
    found = {}
    for signature in model.signatureDefs:
        tensors = model.subgraphs[signature.subgraphIndex].tensors
        inputs, outputs = ({entry.name.decode(): (_TYPES[tensors[entry.tensorIndex].type], [int(n) for n in _shape(
            tensors[entry.tensorIndex])]) for entry in side or []} for side in (signature.inputs, signature.outputs))
        found[signature.signatureKey.decode()] = Signature(inputs, outputs)
    return found


def constant_bytes(content: bytes) -> int:
    """Bytes of all weights and tables."""
    return sum(len(buffer.data) for buffer in read(content).buffers if buffer.data is not None)


def smallest_runtime(content: bytes) -> str:
    """The oldest TensorFlow Lite runtime that knows every operation in its version, as the converter noted it; "" if not."""
    model = read(content)
    for entry in model.metadata or []:
        if entry.name == b"min_runtime_version":
            return bytes(model.buffers[entry.buffer].data).rstrip(b"\0").decode()
    return ""


def shared(content: bytes) -> bytes:
    """The same file with equal constants stored once."""
    import flatbuffers

    model = read(content)
    first: dict[bytes, int] = {}
    place = {0: 0}
    kept = [model.buffers[0]]
    for number, buffer in enumerate(model.buffers[1:], 1):
        data = None if buffer.data is None else bytes(buffer.data)
        if data and data in first:
            place[number] = first[data]
            continue
        place[number] = len(kept)
        if data:
            first[data] = len(kept)
        kept.append(buffer)
    for holder in [tensor for graph in model.subgraphs for tensor in graph.tensors]:
        holder.buffer = place[holder.buffer]
    for holder in model.metadata or []:
        holder.buffer = place[holder.buffer]
    model.buffers = kept
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _shape(tensor: Any) -> list[int]:
    signature = tensor.shapeSignature
    return list(tensor.shape if signature is None or len(signature) == 0 else signature)
