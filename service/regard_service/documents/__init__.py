"""Files of text: what of a document is to be translated, and the document with the translations in its place."""
