"""Files of text: what of a document is to be translated, and the document with the translations in its place.

`open_document` reads a file into units; `Document.write` puts their translations where the units were. Outside of them
nothing changes, to the byte: every format finds the places of its texts and leaves the rest as it is. A document whose
units come back as they are is the file itself. Knows no model and no transport.

The modules, each using those above it:

    unit           what a document offers: units, options, faults
    encoding       bytes into text and back
    places         texts in a text: the units of most formats
    inline         a sentence with markup of its own: tags in a unit, and the markup back
    lines          lines of a width
    plain_text, json_strings, icu, html, gettext_entries, gettext, plurals, subtitle_cues, subtitles,
    markdown_blocks, markdown_inline, markdown, xml_source, xliff, qt, word_paragraphs, word    the formats
    formats        formats by media type and by file name
"""
