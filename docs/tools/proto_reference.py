"""The reference of the gRPC API, as Markdown, from the comments of its `.proto`."""

import re
import tempfile
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from grpc_tools import protoc

from docs.tools.tables import outside_code, table

# A comment's line that begins so names a status code, and becomes an item of a list.
STATUS = re.compile(r"[A-Z]+(_[A-Z]+)*(: | also )")
ITEM = "- "
SYNTAX = (FileDescriptorProto.SYNTAX_FIELD_NUMBER,)  # the comment of the file stands before its `syntax`

Path_ = tuple[int, ...]  # of an element in its file: field numbers and indexes


def compile_proto(folder: Path, name: str) -> FileDescriptorProto:
    """Reads a `.proto` file with its comments.

    Args:
        folder: where imports are looked up.
        name: of the file, relative to the folder.

    Raises:
        ValueError: if protoc refuses the file; protoc writes the reason to standard error.
    """
    with tempfile.TemporaryDirectory() as temporary, as_file(files("grpc_tools") / "_proto") as well_known:
        compiled = Path(temporary) / "descriptors"
        arguments = [f"-I{folder}", f"-I{well_known}", "--include_source_info", f"-o{compiled}", name]
        if protoc.main(["protoc", *arguments]):
            raise ValueError(f"{name}: protoc refused it")
        return FileDescriptorSet.FromString(compiled.read_bytes()).file[0]


def reference(file: FileDescriptorProto, title: str) -> str:
    """One page: the file's comment, its services with their methods, its messages with their fields, its enums."""
    return "\n\n".join(_Reference(file).parts(title)) + "\n"


class _Reference:
    """The parts of the page, each one block of Markdown."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self.file = file
        self.package = f".{file.package}."
        self.comments = {tuple(at.path): at.leading_comments for at in file.source_code_info.location}

    def parts(self, title: str) -> Iterator[str]:
        yield f"# {title}"
        yield markdown(self.comments[SYNTAX])
        for index, service in enumerate(self.file.service):
            yield from self.service(service, (FileDescriptorProto.SERVICE_FIELD_NUMBER, index))
        yield "## Messages"
        for index, message in enumerate(self.file.message_type):
            yield from self.message(message, (FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER, index))
        yield "## Enums"
        for index, enum in enumerate(self.file.enum_type):
            yield from self.enum(enum, (FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER, index))

    def service(self, service: ServiceDescriptorProto, path: Path_) -> Iterator[str]:
        yield heading(2, service.name)
        yield markdown(self.comments[path])
        for index, method in enumerate(service.method):
            yield heading(3, method.name)
            yield self.signature(method)
            yield markdown(self.comments[*path, service.METHOD_FIELD_NUMBER, index])

    def signature(self, method: MethodDescriptorProto) -> str:
        returned = self.link(method.output_type)
        return f"{self.link(method.input_type)} → {'stream of ' if method.server_streaming else ''}{returned}"

    def message(self, message: DescriptorProto, path: Path_) -> Iterator[str]:
        yield heading(3, message.name)
        yield markdown(self.comments[path])
        if message.field:
            rows = [
                (f"`{field.name}`", field.number, self.type_of(field, message), self.cell(*path, 2, index))
                for index, field in enumerate(message.field)
            ]
            yield table(("field", "number", "type", ""), rows)

    def enum(self, enum: EnumDescriptorProto, path: Path_) -> Iterator[str]:
        yield heading(3, enum.name)
        yield markdown(self.comments[path])
        values = enumerate(enum.value)
        yield table(
            ("value", "number", ""),
            [(f"`{value.name}`", value.number, self.cell(*path, 2, index)) for index, value in values],
        )

    def cell(self, *path: int) -> str:
        """A comment as one line."""
        return " ".join(line.strip() for line in escaped(self.comments[path]).splitlines())

    def type_of(self, field: FieldDescriptorProto, message: DescriptorProto) -> str:
        for nested in message.nested_type:
            if nested.options.map_entry and field.type_name.endswith(f".{message.name}.{nested.name}"):
                key, value = (self.type_of(part, nested) for part in nested.field)
                return f"map from {key} to {value}"
        name = self.link(field.type_name) or FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            return f"repeated {name}"
        if field.proto3_optional:
            return f"optional {name}"
        if field.HasField("oneof_index"):
            return f"{name}, one of `{message.oneof_decl[field.oneof_index].name}`"
        return name

    def link(self, type_name: str) -> str:
        """A type of this file as a link to its heading; the full name of another file's."""
        if not type_name.startswith(self.package):
            return type_name.removeprefix(".")
        name = type_name.removeprefix(self.package)
        return f"[{name}](#{name})"


def heading(level: int, name: str) -> str:
    """A heading whose anchor is the name, as it is spelled."""
    return f"{'#' * level} {name} {{ #{name} }}"


def markdown(comment: str) -> str:
    """A comment as Markdown: its paragraphs and lists, each item on one line; a status code begins an item."""
    blocks: list[str] = []
    begins = True
    for line in (line.strip() for line in escaped(comment).splitlines()):
        is_item = line.startswith(ITEM) or STATUS.match(line) is not None
        if not line:
            begins = True
        elif is_item:
            blocks.append(ITEM + line.removeprefix(ITEM))
            begins = False
        elif begins:
            blocks.append(line)
            begins = False
        else:
            blocks[-1] += f" {line}"
    return "\n".join(_separated(blocks))


def _separated(blocks: list[str]) -> Iterator[str]:
    """The blocks with a blank line between any two, unless both are items of one list."""
    before = ""
    for block in blocks:
        if before and not (before.startswith(ITEM) and block.startswith(ITEM)):
            yield ""
        yield block
        before = block


def escaped(text: str) -> str:
    """The text with `<` escaped wherever it stands outside of code."""
    return outside_code(text, lambda part: part.replace("<", "&lt;"))
