"""A .tflite file looked at from inside: its operations, its tensors, its size."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any, NamedTuple

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_s2s.config import require

_OPERATIONS = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
_TYPES = {number: name.lower() for name, number in vars(schema.TensorType).items() if isinstance(number, int)}
SMALL = 1024  # values; the converter leaves smaller constants in float32 too
BORDER_TYPES = ("uint8", "int32", "float32")  # all that LiteRT.js can pass


class Signature(NamedTuple):
    """A signature's border: name -> (type, shape)."""

    inputs: dict[str, tuple[str, list[int]]]
    outputs: dict[str, tuple[str, list[int]]]


def read(content: bytes) -> Any:
    """The file as the schema's object tree."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))


def operations(model: Any) -> dict[str, int]:
    """How often each operation stands in the file; one that is not built in is called "CUSTOM:" and its name."""
    counts: collections.Counter[str] = collections.Counter()
    for graph in model.subgraphs:
        for operator in graph.operators or []:
            code = model.operatorCodes[operator.opcodeIndex]
            name = _OPERATIONS[max(code.builtinCode, code.deprecatedBuiltinCode)]
            counts[f"CUSTOM:{code.customCode.decode()}" if name == "CUSTOM" else name] += 1
    return dict(sorted(counts.items()))


def require_builtins(model: Any) -> None:
    """Raises ValueError unless all is built in and without state, and the border is of types that all runtimes know."""
    stateful = ("CUSTOM", "VAR_HANDLE", "READ_VARIABLE", "CALL_ONCE")
    foreign = [name for name in operations(model) if name.startswith(stateful)]
    require(not foreign, "a phone file may hold built-in operations and constants only; this one also has "
            f"{', '.join(foreign)}. That is a fault of the export: please report it with the run's config.json.")
    for name, signature in signatures(model).items():
        for argument, (kind, shape) in (*signature.inputs.items(), *signature.outputs.items()):
            require(kind in BORDER_TYPES and min(shape, default=1) > 0,
                    f"the border of a phone file may be {', '.join(BORDER_TYPES)} in fixed shapes; {name}'s {argument!r} is "
                    f"{kind} {shape}. That is a fault of the export: please report it with the run's config.json.")


def signatures(model: Any) -> dict[str, Signature]:
    """The file's signatures by name."""
    found = {}
    for signature in model.signatureDefs:
        tensors = model.subgraphs[signature.subgraphIndex].tensors
        inputs, outputs = ({entry.name.decode(): (_TYPES[tensors[entry.tensorIndex].type], [int(n) for n in _shape(
            tensors[entry.tensorIndex])]) for entry in side or []} for side in (signature.inputs, signature.outputs))
        found[signature.signatureKey.decode()] = Signature(inputs, outputs)
    return found


def constant_bytes(model: Any) -> int:
    """Bytes of all weights, with the scales and zero points that int8 needs, and tables."""
    parts = {values.tobytes() for graph in model.subgraphs for tensor in graph.tensors if tensor.quantization is not None
             for values in (tensor.quantization.scale, tensor.quantization.zeroPoint) if values is not None}
    return sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None) + sum(map(len, parts))


def smallest_runtime(model: Any) -> str:
    """The oldest TensorFlow Lite runtime that knows every operation in its version, as the converter noted it; "" if not."""
    for entry in model.metadata or []:
        if entry.name == b"min_runtime_version":
            return bytes(model.buffers[entry.buffer].data).rstrip(b"\0").decode()
    return ""


def float16(content: bytes) -> bytes:
    """The same file with its weights in half precision, spread to float32 when it is loaded.

    The converter's own way halves every float constant, also those that a search counts with; here only matrices of
    weights are, and only where each value has its like in float16.
    """
    model = read(content)
    for graph in model.subgraphs:
        spread = []
        for number, tensor in enumerate(list(graph.tensors)):
            data = model.buffers[tensor.buffer].data
            if data is None or tensor.type != schema.TensorType.FLOAT32 or len(tensor.shape) < 2 or len(data) < 4 * SMALL:
                continue
            values = np.frombuffer(bytes(data), np.float32)
            if np.abs(values).max() > np.finfo(np.float16).max:
                continue
            half, buffer = schema.TensorT(), schema.BufferT()
            buffer.data = np.frombuffer(values.astype(np.float16).tobytes(), np.uint8)
            half.shape, half.type, half.buffer = tensor.shape, schema.TensorType.FLOAT16, len(model.buffers)
            model.buffers.append(buffer)
            graph.tensors.append(half)
            tensor.buffer = 0
            spread.append(_operator(model, schema.BuiltinOperator.DEQUANTIZE, len(graph.tensors) - 1, number))
        graph.operators = [*spread, *graph.operators]
    used = _used_buffers(model)
    model.buffers = [buffer if number in used else schema.BufferT() for number, buffer in enumerate(model.buffers)]
    return _written(model, flatbuffers.Builder(len(content)))


def _operator(model: Any, code: int, given: int, made: int) -> Any:
    """An operation of one input and one output."""
    known = [number for number, entry in enumerate(model.operatorCodes) if entry.builtinCode == code]
    if not known:
        entry = schema.OperatorCodeT()
        entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, code, 2
        model.operatorCodes.append(entry)
        known = [len(model.operatorCodes) - 1]
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = known[0], np.array([given], np.int32), np.array([made], np.int32)
    return operator


def _used_buffers(model: Any) -> set[int]:
    holders = [*(tensor for graph in model.subgraphs for tensor in graph.tensors), *(model.metadata or [])]
    return {holder.buffer for holder in holders}


def _written(model: Any, builder: flatbuffers.Builder) -> bytes:
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def compact(content: bytes) -> bytes:
    """The same file without what no runtime reads, and with everything that is equal stored once.

    Names of inner tensors go, constants and whole subgraphs (bodies of loops, once a signature) are shared.
    """
    model = read(content)
    _share_buffers(model)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name, tensor.hasRank = None, False
            if tensor.quantization is not None and tensor.quantization.scale is None:
                tensor.quantization = None
            if tensor.shapeSignature is not None and list(tensor.shapeSignature) == list(tensor.shape):
                tensor.shapeSignature = None
        _renumber(graph, [signature for signature in model.signatureDefs if model.subgraphs[signature.subgraphIndex] is graph])
    _share_subgraphs(model)
    for graph in model.subgraphs:
        graph.tensors = [tensor if tensor.quantization else _Shared(tensor) for tensor in graph.tensors]
        for operator in graph.operators:
            operator.builtinOptions = operator.builtinOptions and _Shared(operator.builtinOptions)
    return _written(model, _SharingBuilder(len(content)))


def _share_buffers(model: Any) -> None:
    """Equal constants become one buffer; tensors that are computed all refer to buffer 0, the empty one."""
    first: dict[bytes, int] = {b"": 0}
    place, kept = [], [model.buffers[0]]
    for buffer in model.buffers:
        data = b"" if buffer.data is None else bytes(buffer.data)
        if data not in first:
            first[data] = len(kept)
            kept.append(buffer)
        place.append(first[data])
    for holder in [*(tensor for graph in model.subgraphs for tensor in graph.tensors), *(model.metadata or [])]:
        holder.buffer = place[holder.buffer]
    model.buffers = kept


def _renumber(graph: Any, signatures: list[Any]) -> None:
    """Tensors in the order of their use, equal constants once, so that what is done alike is written alike."""
    used = [*graph.inputs, *(number for operator in graph.operators for side in (operator.inputs, operator.outputs)
                             for number in side if number >= 0), *graph.outputs]
    place: dict[int, int] = {-1: -1}
    constants: dict[tuple, int] = {}
    kept: list[Any] = []
    for number in map(int, used):
        if number in place:
            continue
        tensor = graph.tensors[number]
        # A constant is told from its fellows by its buffer, its type and shape; quantized ones are left alone.
        key = (tensor.buffer, tensor.type, tuple(tensor.shape), number if tensor.quantization or not tensor.buffer else -1)
        if key not in constants:
            constants[key] = len(kept)
            kept.append(tensor)
        place[number] = constants[key]
    graph.tensors = kept
    for holder in (graph, *graph.operators):
        holder.inputs, holder.outputs = (np.array([place[int(number)] for number in side], np.int32)
                                         for side in (holder.inputs, holder.outputs))
    for entry in (entry for signature in signatures for side in (signature.inputs, signature.outputs) for entry in side or []):
        entry.tensorIndex = place[entry.tensorIndex]


def _share_subgraphs(model: Any) -> None:
    """Equal subgraphs become one, the inner ones first, until nothing is equal any more.

    One whose border varies in shape stays its caller's own: an interpreter resizes it for one signature, and would leave it so
    for the next.
    """
    own = {signature.subgraphIndex for signature in model.signatureDefs} | {0}
    own |= {number for number, graph in enumerate(model.subgraphs)
            if any(-1 in _shape(graph.tensors[place]) for place in (*graph.inputs, *graph.outputs))}
    while True:
        first: dict[bytes, int] = {}
        place: list[int] = []
        kept: list[Any] = []
        for number, graph in enumerate(model.subgraphs):
            graph.name = None
            builder = flatbuffers.Builder(1024)
            builder.Finish(graph.Pack(builder))
            key = bytes(builder.Output()) if number not in own else str(number).encode()
            if key not in first:
                first[key] = len(kept)
                kept.append(graph)
            place.append(first[key])
        if len(kept) == len(model.subgraphs):
            return
        model.subgraphs = kept
        own = {place[number] for number in own}
        for signature in model.signatureDefs:
            signature.subgraphIndex = place[signature.subgraphIndex]
        for operator in (operator for graph in kept for operator in graph.operators):
            for name in ("condSubgraphIndex", "bodySubgraphIndex", "thenSubgraphIndex", "elseSubgraphIndex"):
                if hasattr(operator.builtinOptions, name):
                    setattr(operator.builtinOptions, name, place[getattr(operator.builtinOptions, name)])


class _SharingBuilder(flatbuffers.Builder):
    """Writes what is equal once; a flatbuffer may point to one thing from many places."""

    def __init__(self, size: int):
        super().__init__(size)
        self._written: dict[Any, int] = {}

    def once(self, key: Any, write: Callable[[], int]) -> int:
        """Where what has that key was written, or is written now."""
        if key not in self._written:
            self._written[key] = write()
        return self._written[key]

    def CreateNumpyVector(self, x: Any) -> int:
        return self.once((str(x.dtype), x.tobytes()), lambda: super(_SharingBuilder, self).CreateNumpyVector(x))


class _Shared:
    """An object of the tree that is written once for all its equals."""

    def __init__(self, item: Any):
        self.item = item
        self.key = (type(item).__name__, *(value.tobytes() if isinstance(value, np.ndarray) else repr(value)
                                           for value in vars(item).values()))

    def Pack(self, builder: _SharingBuilder) -> int:
        return builder.once(self.key, lambda: self.item.Pack(builder))


def _shape(tensor: Any) -> list[int]:
    signature = tensor.shapeSignature
    return list(tensor.shape if signature is None or len(signature) == 0 else signature)
