// Sheets of thumbnails are decoded when they are first needed; only the last large ones are kept.
const KEPT = 48;

export function makeSheets(levels, loaded) {
  const pictures = new Map();

  // The decoded sheet; null while it is not there yet.
  return function sheet(level, number) {
    const key = level + "-" + number;
    const known = pictures.get(key);
    if (known) {
      pictures.delete(key); // the one used last goes to the end
      pictures.set(key, known);
      return known.complete && known.naturalWidth ? known : null;
    }
    const source = levels[level].sheets[number];
    const picture = new Image();
    picture.onload = loaded;
    picture.src = source.startsWith("#")
      ? "data:image/jpeg;base64," + document.getElementById(source.slice(1)).textContent : source;
    pictures.set(key, picture);
    if (level > 0 && pictures.size > KEPT + levels[0].sheets.length) {
      pictures.delete([...pictures.keys()].find((old) => !old.startsWith("0-")));
    }
    return null;
  };
}
