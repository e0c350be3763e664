-- Maps: a place in two dimensions for every content of a picture.

CREATE TABLE map (
  id       INTEGER PRIMARY KEY,
  name     TEXT NOT NULL UNIQUE CHECK (name <> ''),
  space    TEXT NOT NULL CHECK (json_valid(space)),
  settings TEXT NOT NULL CHECK (json_valid(settings)),
  quality  TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(quality)),
  created  TEXT NOT NULL
) STRICT;

-- placed = 1: came later and was fitted into the finished map, which did not move.
CREATE TABLE map_point (
  map_id INTEGER NOT NULL REFERENCES map (id) ON DELETE CASCADE,
  hash   TEXT NOT NULL,
  x      REAL NOT NULL,
  y      REAL NOT NULL,
  placed INTEGER NOT NULL CHECK (placed IN (0, 1)),
  PRIMARY KEY (map_id, hash)
) STRICT, WITHOUT ROWID;
