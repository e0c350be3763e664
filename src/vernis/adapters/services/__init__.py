"""Outside services that are asked about pictures, where an owner wants one.

`requests` sends and waits, a module a service says what it is asked and reads what it answers, and
`prices` what it costs. Never: anything sent that a verb was not told to send, a key in a message,
a file or a catalog, or a picture that was not encoded anew.
"""
