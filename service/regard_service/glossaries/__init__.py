"""Glossaries that the server keeps: files in a folder, and the formats that they are imported from."""
