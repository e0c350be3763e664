"""The catalog: everything known about a collection, in one folder.

SQL and shards live here and nowhere else. Pictures are never decoded, and nothing is computed.
"""
