"""GlossaryService: lists, returns, keeps and deletes glossaries."""

import asyncio
from typing import Any

import grpc

from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as pb_grpc
from regard_service.convert.glossaries import read_glossary, read_glossary_name, write_glossary, write_terms
from regard_service.glossaries.files import read_file
from regard_service.glossaries.store import GlossaryStore

Context = grpc.aio.ServicerContext[Any, Any]


class GlossaryServicer(pb_grpc.GlossaryServiceServicer):
    """Converts, calls the store in a thread, converts back."""

    def __init__(self, store: GlossaryStore) -> None:
        self._store = store

    async def ListGlossaries(  # noqa: N802
        self, request: pb.ListGlossariesRequest, context: Context
    ) -> pb.ListGlossariesResponse:
        """Lists the glossaries by name."""
        return await asyncio.to_thread(self._list)

    async def GetGlossary(  # noqa: N802
        self, request: pb.GetGlossaryRequest, context: Context
    ) -> pb.GetGlossaryResponse:
        """Returns a glossary with its terms."""
        name = read_glossary_name(request.name)
        return await asyncio.to_thread(lambda: write_terms(self._store.get(name)))

    async def PutGlossary(  # noqa: N802
        self, request: pb.PutGlossaryRequest, context: Context
    ) -> pb.PutGlossaryResponse:
        """Keeps a glossary."""
        return await asyncio.to_thread(self._put, request)

    async def DeleteGlossary(  # noqa: N802
        self, request: pb.DeleteGlossaryRequest, context: Context
    ) -> pb.DeleteGlossaryResponse:
        """Deletes a glossary."""
        await asyncio.to_thread(self._store.delete, read_glossary_name(request.name))
        return pb.DeleteGlossaryResponse()

    def _list(self) -> pb.ListGlossariesResponse:
        glossaries = [write_glossary(self._store.get(name)) for name in self._store.names()]
        return pb.ListGlossariesResponse(glossaries=glossaries)

    def _put(self, request: pb.PutGlossaryRequest) -> pb.PutGlossaryResponse:
        glossary = read_glossary(request, read_file)
        self._store.put(glossary)
        return pb.PutGlossaryResponse(glossary=write_glossary(glossary))
