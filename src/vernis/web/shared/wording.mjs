// Numbers, names and values as people read and sort them.

export const asCount = (value) => value.toLocaleString("en-US");

// Never "0%" or "100%" for what is only near it.
export function asPercent(share) {
  if (share === null) return "–";
  const text = (100 * share).toFixed(0);
  if (text === "100" && share < 1) return ">99%";
  if (text === "0" && share > 0) return "<1%";
  return text + "%";
}

// What a judged sample says of the number of wrong labels: "about 240 wrong (190 to 290) by 100 judged".
export function judgedWords({ wrong, judged }) {
  const [value, low, high] = [wrong.value, wrong.low, wrong.high].map((number) => asCount(Math.round(number)));
  const told = Math.round(wrong.low) < 1 ? "up to " + high : low === high ? value : "about " + value;
  const bounds = told.startsWith("about") ? " (" + low + " to " + high + ")" : "";
  return told + " wrong" + bounds + " by " + asCount(judged) + " judged";
}

export function asSize(bytes) {
  let value = bytes;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (value < 1000) return (unit === "B" || value >= 10 ? value.toFixed(0) : value.toFixed(1)) + " " + unit;
    value /= 1000;
  }
  return value.toFixed(1) + " TB";
}

export const baseName = (uri) => uri.slice(uri.lastIndexOf("/") + 1);
export const folderName = (uri) => uri.slice(0, uri.lastIndexOf("/") + 1);

// Sort numbers by value and all else as text; what is unknown (null) comes last either way.
export function compareValues(a, b, up) {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  return up ? order : -order;
}

export const GROUP_KINDS = { bytes: "Same file", pixels: "Same pixels", near: "Near duplicate" };
const TRANSFORMS = {
  identity: "same picture", hflip: "mirrored", vflip: "upside-down mirrored", rot180: "turned 180°", rot90: "turned 90° left",
  rot270: "turned 90° right", transpose: "mirrored and turned", transverse: "mirrored and turned", crop: "cropped", gray: "greyscale",
  brightness: "brightness", banner: "banner", scale: "other size",
};

// How a copy was made of the image that stays.
export const transformName = (text) => (text ? text.split("+").map((part) => TRANSFORMS[part] || part.replaceAll("_", " ")).join(", ") : "copy");
