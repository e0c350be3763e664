"""The modules, styles and pages of the app, and what it shares with the report: ``shared``.

Plain ES modules and hand-made CSS: what is here is what the browser gets.
Never: an address of another site, a script or style inside a page, a text that becomes HTML.
"""
