"""Languages by their codes, and the language of a text."""
