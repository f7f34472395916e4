"""The bundles that ship with Regard, one folder each: data, and no code."""
