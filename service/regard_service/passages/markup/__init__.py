"""HTML and XML: running texts out of markup, and tags back around the words that say the same.

The modules, each using those above it:

    tokens      tags, text and what is kept as it is, with their places in the source
    elements    which elements are blocks, which are kept, which attributes people read
    html, xml   a format into tokens
    entities    character references and white space: read as text, and escaped
    units       running texts with their tags
    rules       what HTML and XML say about an element
    scope       the open elements
    runs        collects the pieces of a running text
    parse       tokens into units
    words       cuts a text into what tags go around as a whole
    affinity    how much each word of a target stands for each word of the source
    tree        the tags of a segment as a tree
    placement   the words of the target that each tag goes around
    writing     a segment with its tags, a unit, the whole text
"""
