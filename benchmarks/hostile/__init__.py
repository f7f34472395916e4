"""Callers who mean harm, beside an honest one.

The modules:

    __main__          the command
    attacker          a process of one hostile caller
    attacks           what hostile callers send
    hostile_report    the results
    http2             a client of HTTP/2 by hand
    process_use       what a process has used
"""
