-- What the files of images and their sidecars said of them when they were last read.

CREATE TABLE described (
  image_id INTEGER PRIMARY KEY REFERENCES image (id),
  mark     INTEGER NOT NULL,       -- of the sidecar's size and time; 0: there was none
  said     TEXT NOT NULL DEFAULT ''
    CHECK (said = '' OR json_valid(said))
) STRICT;
-- Images that were listed before are not opened again unasked: vernis import FOLDER --format xmp.
INSERT INTO described (image_id, mark) SELECT id, -1 FROM image;
