"""Callers who mean harm, beside an honest one.

The modules:

    __main__          the command
    attacker          a process of one hostile caller
    attacks           what hostile callers send
    together          all of them at once, with a server whose memory is limited
    memory_limit      a control group
    hostile_report    the results of one attack after the other
    together_report   the results of all at once
    http2             a client of HTTP/2 by hand
    process_use       what a process has used
"""
