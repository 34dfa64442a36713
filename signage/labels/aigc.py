"""The implicit label: the `AIGC` object of appendix E, as JSON and within an XMP packet. Pure.

One label a file. A picture holds it as the XMP property `TC260:AIGC`, an MP4 as the metadata key
`AIGC`; the value is the same JSON in both.

Reference: GB 45438-2025, appendix E, as quoted publicly.
"""

import re
from typing import Annotated, Literal
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import msgspec
from msgspec import Meta, Struct

from signage.errors import LabelError

NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
PREFIX = "TC260"
PROPERTY = "AIGC"

#: "Restricted ASCII": what needs no escape in JSON, XML or a shell.
_PATTERN = r"^[A-Za-z0-9 !#$%()*+,./:;=?@_~-]*$"

_Value = Annotated[str, Meta(max_length=128, pattern=_PATTERN)]
_Named = Annotated[str, Meta(min_length=1, max_length=128, pattern=_PATTERN)]

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_MAX_PACKET_BYTES = 1024 * 1024


class Aigc(Struct, frozen=True, kw_only=True, rename="pascal"):
    """Who made a content and under which number; who spread it. `label` "1": it is AI-generated,
    "2": may be, "3": is suspected to be.
    """

    label: Literal["1", "2", "3"] = "1"
    content_producer: _Named
    produce_id: _Named = msgspec.field(name="ProduceID")
    reserved_code1: _Value = ""
    content_propagator: _Value = ""
    propagate_id: _Value = msgspec.field(name="PropagateID", default="")
    reserved_code2: _Value = ""


class _Wrapped(Struct, frozen=True, kw_only=True):
    """The object with its name around it, as some producers write it."""

    aigc: Aigc = msgspec.field(name="AIGC")


_BARE: msgspec.json.Decoder[Aigc] = msgspec.json.Decoder(Aigc)
_WRAPPED: msgspec.json.Decoder[_Wrapped] = msgspec.json.Decoder(_Wrapped)


def checked(label: Aigc) -> Aigc:
    """The label, if all its values are allowed. Raises LabelError."""
    try:
        return msgspec.convert(msgspec.to_builtins(label), Aigc)
    except msgspec.ValidationError as error:
        raise LabelError(
            f"this is no AIGC label ({error}); use letters, digits and plain signs, and name "
            "producer and id"
        ) from error


def to_json(label: Aigc) -> str:
    """The value as it stands in a file.

    >>> to_json(Aigc(content_producer="ACME", produce_id="7"))[:45]
    '{"Label":"1","ContentProducer":"ACME","Produc'
    """
    return msgspec.json.encode(label).decode()


def from_json(text: str | bytes) -> Aigc:
    """The label of a value, bare or as `{"AIGC": {...}}`. Raises LabelError."""
    try:
        return _BARE.decode(text)
    except msgspec.DecodeError as error:
        try:
            return _WRAPPED.decode(text).aigc
        except msgspec.DecodeError:
            raise LabelError(
                f"the file's AIGC value is no label ({error}); label the file anew"
            ) from error


def packet(label: Aigc, existing: bytes | None = None) -> bytes:
    """The XMP packet of a file with `label` in it, and all that `existing` held.

    Raises:
        LabelError: `existing` cannot be read, or holds a label already.
    """
    description = (
        f'<rdf:Description rdf:about="" xmlns:rdf="{_RDF}" xmlns:{PREFIX}="{NAMESPACE}">'
        f"<{PREFIX}:{PROPERTY}>{escape(to_json(label))}</{PREFIX}:{PROPERTY}></rdf:Description>"
    )
    if existing is not None:
        if labels_in(existing):
            raise LabelError("the file holds an AIGC label already, and may hold only one")
        text = existing.rstrip(b"\0").decode("utf-8", "replace")
        head, end, tail = text.rpartition("</rdf:RDF>")
        if end:
            return f"{head}{description}{end}{tail}".encode()
    return (
        '<?xpacket begin="\N{ZERO WIDTH NO-BREAK SPACE}" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">{description}'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def labels_in(xmp: bytes) -> list[Aigc]:
    """All labels of an XMP packet, as elements or as attributes.

    Raises:
        LabelError: it is no XMP, or its label is none.
    """
    if len(xmp) > _MAX_PACKET_BYTES or re.search(rb"<!(DOCTYPE|ENTITY)", xmp):
        raise LabelError("the file's XMP packet is no plain XMP; save the file without it")
    try:
        # No entities (refused above), and bounded: nothing that could swell.
        root = ElementTree.fromstring(xmp.strip(b"\0 \r\n\t"))  # noqa: S314
    except ElementTree.ParseError as error:
        raise LabelError(
            f"the file's XMP packet cannot be read ({error}); save the file without it"
        ) from error
    name = f"{{{NAMESPACE}}}{PROPERTY}"
    values = [element.text or "" for element in root.iter(name)]
    values += [element.attrib[name] for element in root.iter() if name in element.attrib]
    return [from_json(value) for value in values]
