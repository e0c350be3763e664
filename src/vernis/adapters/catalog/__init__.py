"""The catalog: everything known about a collection, in one folder."""
