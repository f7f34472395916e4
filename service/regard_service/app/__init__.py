"""The server as a whole.

The modules:

    main             the command: reads the settings, serves until a signal
    server           binds the ports, loads the models, serves, drains
    settings         every setting, with its help text
    setting_sources  file, environment and flags
    setting_checks   what the type of a setting does not say
    setting_faults   what is wrong with a value
    flags            the flags of the command
    wiring           builds the parts of a server from its settings
    grpc_port        the gRPC port and its channel arguments
    health           gRPC health
    tls              certificates
    cores            how many cores the process may use
"""
