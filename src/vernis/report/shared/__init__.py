"""What all pages share: colours and type, the theme, small parts of pages and scripts.

Never: a page of its own, or what only one page needs.
"""
