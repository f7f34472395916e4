"""The HTTP port: metrics, health, the JSON API and the playground.

The modules:

    application      the application: its routes
    json_api         the API's methods over HTTP
    json_requests    requests as protobuf messages
    json_fields      the fields of a message, from JSON
    json_answers     messages as JSON
    bodies           reads the bodies of requests
    body_bounds      counts a body's values before it is parsed
    problems         errors as problem JSON
    doors            the APIs of others
    sites            refuses what pages of other sites make browsers send
    unary            runs a unary call of a request
    connections      what a request knows of its connection
    hosts            the names that the server answers to
    context          an HTTP request as a gRPC call's context
    openapi          the OpenAPI document: paths; `openapi_schemas`, `openapi_examples`: what they refer to
    docs_page        the same for people
    playground       the playground's files
    scrapes          metrics, for a bounded part of the time
    server           the server of the application
    client_timeouts  time limits of slow clients
    joined_writes    one system call for the head and the body of an answer
    unread_answers   a limit of memory for what they do not read
"""
