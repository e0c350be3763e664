"""Everything that touches the world: files, pictures, databases, networks, other programs.

Each translates foreign errors at its border. No adapter decides what a job does, or knows another.
"""
