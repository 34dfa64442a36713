"""What an OpenVINO IR file says about itself: inputs, outputs and their shapes, read from its XML.

Pure: bytes in, a signature out; no runtime has to be installed where models are prepared.
Reference: docs.openvino.ai, "OpenVINO Intermediate Representation" (layers, ports, edges).
"""

from xml.etree import ElementTree

from infra.triton.onnx_file import Shape, Signature, Tensor

#: The largest network of these families has 1 MB of XML: more is no such network.
MAX_XML_BYTES = 16 * 1024 * 1024


class IrError(ValueError):
    """The bytes are no whole IR file."""


def read_signature(data: bytes) -> Signature:
    """The signature of the network in `data`, with the names that Triton's backend knows.

    Raises:
        IrError: no IR file, or a truncated one.
    """
    # A document type is where an XML file hides gigabytes, and no IR file has one.
    if len(data) > MAX_XML_BYTES or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise IrError("it is no IR file")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - without a document type, see above
    except ElementTree.ParseError as error:
        raise IrError(f"it is no XML: {error}") from error
    layers = {layer.get("id", ""): layer for layer in root.iterfind("layers/layer")}
    sources = {
        edge.get("to-layer", ""): (edge.get("from-layer", ""), edge.get("from-port", ""))
        for edge in root.iterfind("edges/edge")
    }
    inputs = [_tensor(layer) for layer in layers.values() if layer.get("type") == "Parameter"]
    outputs = [
        _tensor(layers[source], port)
        for name, layer in layers.items()
        if layer.get("type") == "Result" and name in sources
        for source, port in [sources[name]]
        if source in layers
    ]
    if not inputs or not outputs:
        raise IrError("it has no inputs or no outputs")
    return Signature(tuple(inputs), tuple(outputs))


def _tensor(layer: ElementTree.Element, port_id: str | None = None) -> Tensor:
    """What comes out of `layer` at the port (the first one if none is named)."""
    for port in layer.iterfind("output/port"):
        if port_id in (None, port.get("id")):
            names = port.get("names") or layer.get("name") or ""
            return Tensor(names.split(",")[0], _shape(port), port.get("precision") == "FP32")
    raise IrError("a layer in it has no output")


def _shape(port: ElementTree.Element) -> Shape:
    try:
        sides = [int(dimension.text or "") for dimension in port.iterfind("dim")]
    except ValueError as error:
        raise IrError("a size in it is no number") from error
    return tuple(side if side > 0 else None for side in sides)
