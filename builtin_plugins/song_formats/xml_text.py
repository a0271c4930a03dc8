"""XML from sources that nobody vouches for: no document type, so no entities, and no network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Final
from xml.etree import ElementTree
from xml.parsers import expat

from plugin_sdk import UnreadableSong

__all__ = ["MAX_XML", "Element", "children", "parse_xml", "root_name"]

MAX_XML: Final = 32 * 1024 * 1024
MAX_DEPTH: Final = 64
_MAX_HEAD: Final = 1024 * 1024
_PIECE: Final = 16 * 1024

Element = ElementTree.Element


class _Found(Exception):
    """The root element's name."""


class _Refused(Exception):
    """The document has a document type."""


def parse_xml(content: bytes, name: str) -> Element:
    """The root element. Two passes: the first one only looks for what is refused, before the
    parser can act on it, and leaves the second to the fast parser. Raises UnreadableSong."""
    try:
        _checking_parser().Parse(content, True)
        return ElementTree.fromstring(content)  # noqa: S314  # checked in the line above
    except _Refused:
        raise UnreadableSong(f"{name} has a document type, which is refused") from None
    except (expat.ExpatError, ElementTree.ParseError) as error:
        raise UnreadableSong(f"{name} is no XML: {error}") from None
    except (ValueError, LookupError):  # an encoding that nobody knows
        raise UnreadableSong(f"{name} is no XML: its encoding is unknown") from None


def root_name(file: BinaryIO) -> str | None:
    """The name of the root element, from as little of the file as need be; None for what is no
    XML or is refused."""
    parser = _checking_parser()

    def found(name: str, _: Any) -> None:
        raise _Found(name)

    parser.StartElementHandler = found
    read = 0
    try:
        while read < _MAX_HEAD and (piece := file.read(_PIECE)):
            parser.Parse(piece, False)
            read += len(piece)
    except _Found as answer:
        return str(answer)
    except (_Refused, expat.ExpatError, ValueError, LookupError):
        return None
    return None


def children(parent: Element | None, path: str) -> Iterator[Element]:
    """Elements below ``a/b``, in the order of the document."""
    return iter(()) if parent is None else parent.iterfind(path)


def _checking_parser() -> expat.XMLParserType:
    parser = expat.ParserCreate()

    def refuse(*_: Any) -> None:
        raise _Refused

    depth = 0

    def begin(*_: Any) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:  # a tree this deep cannot even be freed without care
            raise ValueError

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    return parser
