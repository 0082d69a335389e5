"""An XMP packet (ISO 16684-1): the exact copy of a file's metadata, and that it is generated where that is declared."""

from __future__ import annotations

from .tags import Metadata

# The standard name that declares it, and what IPTC calls it (https://cv.iptc.org/newscodes/digitalsourcetype/).
GENERATED = "generated"
_TRAINED_ALGORITHMIC_MEDIA = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_OURS = "urn:telecine:1.0/"
_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    f' xmlns:telecine="{_OURS}">'
    "{declared}<telecine:metadata>{copy}</telecine:metadata>"
    "</rdf:Description></rdf:RDF></x:xmpmeta>\n"
    '<?xpacket end="r"?>'
)


def packet_of(metadata: Metadata) -> bytes:
    """Give the packet of a file's metadata."""
    declared = ""
    if metadata.values.get(GENERATED) is True:
        declared = f"<Iptc4xmpExt:DigitalSourceType>{_TRAINED_ALGORITHMIC_MEDIA}</Iptc4xmpExt:DigitalSourceType>"
    copy = metadata.exact_copy.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _PACKET.format(declared=declared, copy=copy).encode()


def copy_in(packet: bytes) -> str | None:
    """Give the exact copy in a packet; None where there is none."""
    if _OURS.encode() not in packet:
        return None
    from xml.etree import ElementTree  # which takes longer to import than most files have use for it

    try:
        return ElementTree.fromstring(packet.strip(b"\0 \n")).findtext(f".//{{{_OURS}}}metadata")
    except ElementTree.ParseError:
        return None
