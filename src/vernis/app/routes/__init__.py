"""Routes that are no verbs: what the screens of the app ask for.

Each module has one subject and one ``add_to(routes)``.
Never: work that a verb or a module beside it could do.
"""
