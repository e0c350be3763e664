"""Which adapters each workflow gets: the only place where the two meet."""
