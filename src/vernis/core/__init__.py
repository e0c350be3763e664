"""The calculations: arrays and words in, arrays and small tables out.

Never: files, pictures, databases, networks, or anything that asks for the time.
"""
