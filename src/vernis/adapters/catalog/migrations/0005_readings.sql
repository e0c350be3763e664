-- What is read in pictures, by content: so a picture that is renamed or copied is not read again.

-- A reader with its settings; other weights or settings are another reader. used: the reader that
-- was used last has the largest, and of a picture that several have read its readings count.
CREATE TABLE text_reader (
  id       INTEGER PRIMARY KEY,
  name     TEXT NOT NULL CHECK (name <> ''),
  settings TEXT NOT NULL CHECK (json_valid(settings)),
  used     INTEGER NOT NULL DEFAULT 0,
  UNIQUE (name, settings)
) STRICT;

-- A picture that was read, with text or without.
CREATE TABLE picture_read (
  hash      TEXT NOT NULL,
  reader_id INTEGER NOT NULL REFERENCES text_reader (id),
  lines     INTEGER NOT NULL CHECK (lines >= 0),
  time      TEXT NOT NULL,
  PRIMARY KEY (hash, reader_id)
) STRICT, WITHOUT ROWID;

-- A line of text. corners: 8 little-endian float32, x and y from where the text starts, clockwise,
-- in pixels of the upright picture. height: as a share of its shorter side. spelling: what else the
-- line may spell, as the reader tells it.
CREATE TABLE reading (
  hash       TEXT NOT NULL,
  reader_id  INTEGER NOT NULL REFERENCES text_reader (id),
  line       INTEGER NOT NULL CHECK (line >= 0),
  text       TEXT NOT NULL CHECK (text <> ''),
  confidence REAL NOT NULL CHECK (confidence BETWEEN 0 AND 1),
  corners    BLOB NOT NULL CHECK (length(corners) = 32),
  height     REAL NOT NULL CHECK (height > 0),
  spelling   BLOB,
  PRIMARY KEY (hash, reader_id, line)
) STRICT, WITHOUT ROWID;

-- Suggestions of a model and of a reader stand beside each other.
CREATE TABLE new_suggestion (
  taxonomy_id INTEGER NOT NULL,
  source      TEXT NOT NULL CHECK (source <> ''),
  image_id    INTEGER NOT NULL REFERENCES image (id),
  class_id    INTEGER NOT NULL,
  probability REAL NOT NULL CHECK (probability BETWEEN 0 AND 1),
  promised    INTEGER NOT NULL CHECK (promised IN (0, 1)),
  evidence    TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(evidence)),
  PRIMARY KEY (taxonomy_id, source, image_id, class_id),
  FOREIGN KEY (taxonomy_id, class_id) REFERENCES class (taxonomy_id, id)
) STRICT, WITHOUT ROWID;
INSERT INTO new_suggestion
SELECT taxonomy_id, 'model', image_id, class_id, probability, promised, evidence FROM suggestion;
DROP TABLE suggestion;
ALTER TABLE new_suggestion RENAME TO suggestion;
