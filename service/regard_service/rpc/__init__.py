"""The API's methods: servicers answer them, layers surround them. The HTTP port calls the same methods.

The modules:

    servicers         convert, call, convert back
    layers            what happens around every call: log, traces, metrics, errors, tokens, drain
    routes            the methods of a server, each wrapped in its layers
    messages          reads a call's message, once the call is admitted; watches that answers are read
    memory_pressure   tells when messages take too much memory
    connections       closes connections of gRPC
"""
