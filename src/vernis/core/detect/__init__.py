"""Objects in pictures: from a network's cells to boxes, and how well boxes fit the truth.
Arrays in, arrays out. Never: networks, pictures or files.
"""
