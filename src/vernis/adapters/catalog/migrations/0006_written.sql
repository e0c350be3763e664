-- Files that Vernis wrote words into: other bytes, but the picture of the content that was read.

CREATE TABLE written (
  hash    TEXT PRIMARY KEY CHECK (hash <> ''),  -- SHA-256 of the whole file after the write
  content TEXT NOT NULL                         -- content_hash of its image
) STRICT, WITHOUT ROWID;
CREATE INDEX written_content ON written (content);
