"""What an ONNX file says about itself: inputs, outputs and their shapes, read from its protobuf.

A reader of the few fields that are needed, so that neither onnx nor a runtime has to be installed
where models are prepared. Pure: bytes in, bytes out.

Reference: onnx/onnx.proto (ModelProto, GraphProto, ValueInfoProto) and the protobuf wire format.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_FLOAT32 = 1  # TensorProto.DataType.FLOAT
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# Field numbers of onnx.proto.
_MODEL_GRAPH = 7
_GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 5, 11, 12
_INITIALIZER_NAME = 8

Shape = tuple[int | None, ...]


class OnnxError(ValueError):
    """The bytes are no whole ONNX file."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output. A dimension that is not fixed is None."""

    name: str
    shape: Shape
    is_float32: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs (without weights) and outputs of a network, in the file's order."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def read_signature(data: bytes) -> Signature:
    """The signature of the network in `data`.

    Raises:
        OnnxError: no ONNX file, or a truncated one.
    """
    graph = _graph(data)
    weights: set[str] = set()
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    for number, value in _fields(graph):
        if number == _GRAPH_INITIALIZER:
            weights.add(_text(value, _INITIALIZER_NAME))
        elif number == _GRAPH_INPUT:
            inputs.append(_tensor(_as_bytes(value)))
        elif number == _GRAPH_OUTPUT:
            outputs.append(_tensor(_as_bytes(value)))
    if not inputs or not outputs:
        raise OnnxError("it has no inputs or no outputs")
    # Files of ONNX's first versions list the weights among the inputs.
    return Signature(tuple(t for t in inputs if t.name not in weights), tuple(outputs))


def with_free_sizes(data: bytes) -> bytes:
    """The same network with batch, height and width of its inputs and outputs left open.

    Right for a network of convolutions alone, whose file names the sizes that it was traced with.
    """
    graph = _graph(data)
    signature = read_signature(data)
    named = {t.name: t for t in (*signature.inputs, *signature.outputs)}
    parts: list[bytes] = []
    for number, value, raw in _raw_fields(graph):
        if number in (_GRAPH_INPUT, _GRAPH_OUTPUT):
            tensor = named.get(_text(value, 1))
            if tensor is not None:
                parts.append(_encode(number, _value_info(tensor, number == _GRAPH_INPUT)))
                continue
        parts.append(raw)
    model = [
        _encode(number, b"".join(parts)) if number == _MODEL_GRAPH else raw
        for number, _, raw in _raw_fields(data)
    ]
    return b"".join(model)


def _graph(data: bytes) -> bytes:
    graphs = [value for number, value in _fields(data) if number == _MODEL_GRAPH]
    if len(graphs) != 1:
        raise OnnxError("it holds no network")
    return _as_bytes(graphs[0])


def _tensor(info: bytes) -> Tensor:
    kind = _child(_child(info, 2), 1)  # TypeProto.tensor_type
    shape: list[int | None] = []
    for number, dimension in _fields(_child(kind, 2)):
        if number == 1:
            fixed = [value for field, value in _fields(_as_bytes(dimension)) if field == 1]
            shape.append(fixed[0] if fixed and isinstance(fixed[0], int) else None)
    element = [value for number, value in _fields(kind) if number == 1]
    return Tensor(_text(info, 1), tuple(shape), element == [_FLOAT32])


def _value_info(tensor: Tensor, is_input: bool) -> bytes:
    free = ("batch", None, "height", "width") if is_input else ("batch", None, "rows", "columns")
    dimensions = [
        _encode(2, name.encode()) if name else _encode_number(1, fixed or 0)
        for name, fixed in zip(free, tensor.shape, strict=True)
    ]
    shape = b"".join(_encode(1, dimension) for dimension in dimensions)
    kind = _encode_number(1, _FLOAT32) + _encode(2, shape)
    return _encode(1, tensor.name.encode()) + _encode(2, _encode(1, kind))


def _child(message: bytes, number: int) -> bytes:
    for field, value in _fields(message):
        if field == number:
            return _as_bytes(value)
    return b""


def _text(message: bytes | int, number: int) -> str:
    try:
        return _child(_as_bytes(message), number).decode()
    except UnicodeDecodeError as error:
        raise OnnxError("a name in it is no text") from error


def _as_bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise OnnxError("a field in it has the wrong type")
    return value


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    for number, value, _ in _raw_fields(message):
        yield number, value


def _raw_fields(message: bytes) -> Iterator[tuple[int, bytes | int, bytes]]:
    """Number, value and whole encoding of each field of a protobuf message."""
    at, end = 0, len(message)
    while at < end:
        start = at
        tag, at = _read_varint(message, at)
        number, wire = tag >> 3, tag & 7
        value: bytes | int
        if number == 0:
            raise OnnxError("it is no ONNX file")
        if wire == _VARINT:
            value, at = _read_varint(message, at)
        elif wire in (_BYTES, _FIXED64, _FIXED32):
            size = {_FIXED64: 8, _FIXED32: 4}.get(wire, 0)
            if wire == _BYTES:
                size, at = _read_varint(message, at)
            if at + size > end:
                raise OnnxError("it ends too early")
            value = message[at : at + size]
            at += size
        else:
            raise OnnxError("it is no ONNX file")
        yield number, value, message[start:at]


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise OnnxError("it ends too early" if at >= len(message) else "it is no ONNX file")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _encode(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _encode_number(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)
