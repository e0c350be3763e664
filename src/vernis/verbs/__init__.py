"""The verbs: everything that Vernis does for a person, one module a verb, one folder a group.

A module holds `Settings` (typed, with default, help and range), `work(session, settings) -> Result`
(typed) and `show` (how the result is said); the command line, the Python methods, `docs/cli.md` and
`docs/json.md` come from these. Never: an adapter, which only the session opens; or a calculation on
arrays, which belongs to the core.
"""
