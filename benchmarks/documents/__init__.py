"""Texts as people have them, through a server: what is copied, what is lost."""
