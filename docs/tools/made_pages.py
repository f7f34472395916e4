"""The pages that are made from code when the site is built, and stand in no folder."""

from docs.tools import proto_reference, settings_reference
from docs.tools.repository import ROOT

API = "regard/v1/regard.proto"
SETTINGS = ROOT / "service" / "regard_service" / "app" / "settings.py"


def made_pages() -> dict[str, str]:
    """Text of each page, by its path in the repository, as if it stood there."""
    api = proto_reference.compile_proto(ROOT / "proto", API)
    return {
        "docs/reference/grpc.md": proto_reference.reference(api, "The gRPC API"),
        "docs/reference/settings.md": settings_reference.reference(SETTINGS.read_text(encoding="utf-8"), "Settings"),
    }
