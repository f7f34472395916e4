"""Configuration files: their syntax and the words for values that do not fit.

Files:
    toml_files   reads TOML, and names the line and the key of a fault
    fault_words  what a value must be
"""
