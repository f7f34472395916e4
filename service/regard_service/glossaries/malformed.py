"""The error of a glossary's file."""


class MalformedGlossary(Exception):
    """A file is not of its format; the message says where and why."""
