"""Many processes behind one port: `regard serve --processes N` (docs/adr/0028-many-processes.md).

group     the process that users start: loads the models, forks the members, replaces those that end
member    a forked process: a whole server, which shares the ports and the weights
link      a member's side of the pipe between them
exchange  the group's side: questions to several members, whose answers come one by one
messages  what they send
ports     holds the ports for all members
shares    a member's part of the machine and of the limits
"""
