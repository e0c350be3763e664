"""The words of the program as types that refuse bad data, its errors, and the protocols.

Never: a file, a package but NumPy, or a calculation longer than a check.
"""
